//! How this host connects to Redis.

use std::time::Duration;

use fred::types::Builder;
use fred::types::config::{Config, ReconnectPolicy, UnresponsiveConfig};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);

/// What a URL may begin with: one server, a cluster, or servers that Sentinel names; with an s for TLS.
const SCHEMES: &[&str] = &[
    "redis",
    "rediss",
    "redis-cluster",
    "rediss-cluster",
    "redis-sentinel",
    "rediss-sentinel",
];

/// Why Redis cannot be used, or did not answer.
#[derive(Debug, thiserror::Error)]
#[error("redis: {0}")]
pub struct RedisError(String);

impl RedisError {
    /// Changes are told by one server, and a cluster has several.
    pub(crate) fn cluster() -> Self {
        Self("found cache.near with a cluster, expected 0 B: a cluster does not tell of its changes in one place".to_owned())
    }

    /// What the client says; never a password.
    pub(crate) fn new(error: fred::error::Error) -> Self {
        Self(error.details().to_owned())
    }
}

/// Clients of one server, RESP3, that reconnect for ever by themselves. A command is sent at most once: what may have been
/// done when a connection was lost is not done again.
pub(crate) fn builder(url: &str, timeout: Duration) -> Result<Builder, RedisError> {
    let scheme: String = url.split("://").next().unwrap_or_default().chars().take(20).collect();
    if !SCHEMES.contains(&scheme.as_str()) {
        return Err(RedisError(format!(
            "found a URL with scheme {scheme:?}, expected one of {}",
            SCHEMES.join(", ")
        )));
    }
    let mut config = Config::from_url(url).map_err(|_| {
        RedisError(format!(
            "found a {scheme}:// URL that cannot be read, expected {scheme}://HOST:PORT"
        ))
    })?;
    config.version = fred::types::RespVersion::RESP3;
    config.fail_fast = false;
    let mut builder = Builder::from_config(config);
    builder
        .set_policy(ReconnectPolicy::new_exponential(0, 50, 2_000, 2))
        .with_performance_config(|performance| performance.default_command_timeout = timeout)
        .with_connection_config(|connection| {
            connection.connection_timeout = CONNECT;
            connection.internal_command_timeout = CONNECT;
            connection.max_command_attempts = 1;
            connection.unresponsive = UnresponsiveConfig {
                max_timeout: Some(timeout.max(Duration::from_millis(200)) * 4),
                interval: Duration::from_millis(200),
            };
        });
    Ok(builder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_that_is_none_of_redis_is_refused_without_its_password() {
        let error = builder("http://u:canary@h", Duration::from_secs(1))
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(error.contains("\"http\"") && !error.contains("canary"), "{error}");
    }
}
