//! From the configuration to what each part of the host goes by.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Frames, Network, OnFailure, RateClass};
use crate::domain::trust::TrustPolicy;
use crate::events::EventSettings;
use crate::http::cors::{Cors, CorsRules};
use crate::http::gateway::{Limits, TrustedProxies, proxies::ForwardedBy};
use crate::http::inbound::Pace;
use crate::http::shield::Shield;
use crate::mail::MailSettings;
use crate::modules::standing;
use crate::modules::supervisor::Settings;
use crate::ports::rate::{Quota, RateStore};
use crate::ports::traces::{RecentTraces, SpanSink};
use crate::ports::transport::Transport;
use crate::security::RateLimits;
use crate::security::rates::ClassSettings;
use crate::services::WorkSettings;
use crate::telemetry::Tracer;

/// Threads of the host that no module can block.
const SPARE_WORKERS: usize = 2;
/// A piece of a request body: less than this in `http.body_idle_timeout` is too slow.
const PIECE: u64 = 1024;
/// Longer than any host runs, and short enough to be added to a point in time.
const FOREVER: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// For the supervisor. `workers` is the number of threads of the runtime.
pub(super) fn from_config(config: &Config, workers: usize) -> Settings {
    let plugins = &config.plugins;
    let folder = config.plugins_dir();
    Settings {
        plugins: (plugins.dir.is_some() || folder.exists()).then_some(folder),
        private: config.data_dir.join("images"),
        auto_enable: plugins.auto_enable,
        trust: trust(config),
        allow_libraries: plugins.allow_libs.clone(),
        max_file_size: plugins.max_file_size.0,
        reserve_thread_keys: u64::from(plugins.reserve_thread_keys),
        drain: plugins.drain_timeout.get(),
        start: plugins.start_timeout.get(),
        stop: plugins.stop_timeout.get(),
        limits: standing::Limits {
            panics: plugins.quarantine.panics as usize,
            panic_window: plugins.quarantine.window.get(),
            slow_poll: plugins.quarantine.slow_poll.get(),
            stuck_poll: plugins.quarantine.stuck_poll.get(),
            in_flight: u64::from(config.http.max_in_flight_per_module),
            handle_age: config.database.modules.handle_age.get(),
            threads: u32::try_from(workers.saturating_sub(SPARE_WORKERS).max(1)).unwrap_or(1),
        },
        sections: config
            .modules
            .iter()
            .map(|(id, section)| (id.clone(), section.clone()))
            .collect::<BTreeMap<_, _>>(),
        given: BTreeMap::from([("http.public_url".to_owned(), config.http.reached_at().into())]),
    }
}

fn trust(config: &Config) -> TrustPolicy {
    let trust = &config.plugins.trust;
    TrustPolicy {
        hashes: trust.hashes.iter().map(|hash| hash.to_ascii_lowercase()).collect(),
        ..trust.clone()
    }
}

/// For events, jobs and mail.
pub(super) fn work(config: &Config, transport: Option<Arc<dyn Transport>>, tracer: Tracer) -> WorkSettings {
    let events = &config.events;
    WorkSettings {
        events: EventSettings {
            retention: events.retention.get(),
            backlog_retention: events.backlog_retention.get(),
            dead_letter_retention: events.dead_letter_retention.get(),
            backlog: u64::from(events.backlog),
            max_attempts: events.max_attempts.max(1),
            timeout: events.timeout.get(),
            batch: events.batch.clamp(1, 200) as usize,
        },
        history: config.scheduler.history.get(),
        mail: MailSettings {
            from: config.mail.from.clone(),
            per_minute: config.mail.rate_per_minute,
            attempts: config.mail.attempts.max(1),
            keep: config.mail.keep.get(),
            tracer,
            ..MailSettings::default()
        },
        transport,
    }
}

/// What makes spans, and the memory that keeps them, if there is one. Without anybody who takes them it is off.
pub(super) fn tracer(config: &Config, mut sinks: Vec<Arc<dyn SpanSink>>) -> (Tracer, Option<Arc<RecentTraces>>) {
    let most = config.tracing.recent as usize;
    let recent = (most > 0).then(|| Arc::new(RecentTraces::new(most)));
    if let Some(recent) = &recent {
        sinks.push(recent.clone());
    }
    (Tracer::new(config.tracing.sample, sinks), recent)
}

/// For the public listener. A time of zero is no limit.
pub(super) fn limits(config: &Config) -> Limits {
    let http = &config.http;
    let body_idle = Some(http.body_idle_timeout.get()).filter(|time| !time.is_zero());
    Limits {
        connections: http.max_connections as usize,
        header_bytes: usize::try_from(http.max_header_bytes.0).unwrap_or(usize::MAX),
        header_timeout: http.header_timeout.get(),
        idle_timeout: Some(http.idle_timeout.get()).filter(|time| !time.is_zero()).unwrap_or(FOREVER),
        body_bytes: http.max_body_bytes.0,
        body_pace: body_idle.map(|window| Pace { bytes: PIECE, window }),
        write_timeout: body_idle.unwrap_or(FOREVER),
        request_timeout: Some(http.request_timeout.get()).filter(|time| !time.is_zero()),
        ..Limits::default()
    }
}

/// Who is counted how. A class of no requests is no limit.
pub(super) fn rates(config: &Config, store: &dyn RateStore) -> RateLimits {
    let class = |(name, class): (&String, &RateClass)| {
        let requests = NonZeroU32::new(class.requests);
        let quota = requests.map(|requests| Quota {
            requests,
            period: class.per.get(),
            burst: class.burst.and_then(NonZeroU32::new).unwrap_or(requests),
        });
        let settings = ClassSettings {
            quota,
            passes_uncounted: class.on_failure == OnFailure::Open,
        };
        (name.clone(), settings)
    };
    let exempt = config.rate_limits.exempt.clone();
    let is_exempt = move |address| exempt.iter().any(|network: &Network| network.contains(address));
    RateLimits::new(config.rate_limits.classes.iter().map(class), store, is_exempt)
}

/// Which pages of other origins may call.
pub(super) fn cors(config: &Config) -> Option<Cors> {
    let cors = &config.http.cors;
    Cors::new(&CorsRules {
        origins: cors.origins.clone(),
        methods: cors.methods.clone(),
        headers: cors.headers.clone(),
        credentials: cors.credentials,
        max_age: cors.max_age.get().as_secs(),
    })
}

/// What browsers are told.
pub(super) fn shield(config: &Config) -> Shield {
    let headers = &config.http.headers;
    let mut shield = Shield::new().referrer_policy(&headers.referrer_policy);
    if headers.nosniff {
        shield = shield.nosniff();
    }
    if headers.frames != Frames::Any {
        shield = shield.frames(headers.frames == Frames::SameOrigin);
    }
    if config.http.tls.is_some() {
        shield = shield.hsts(headers.hsts.get().as_secs());
    }
    shield
}

/// Proxies that are believed.
pub(super) fn proxies(config: &Config) -> TrustedProxies {
    let networks = config
        .http
        .trusted_proxies
        .iter()
        .filter_map(|network| network.to_string().parse().ok())
        .collect();
    TrustedProxies::new(networks, ForwardedBy::Forwarded)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::*;
    use crate::config::Period;
    use crate::domain::trust::TrustKey;

    #[test]
    fn the_times_of_the_configuration_are_those_of_the_listener() {
        let mut config = Config::default();
        config.http.idle_timeout = Period::secs(7);
        config.http.body_idle_timeout = Period::secs(8);
        config.http.request_timeout = Period::secs(9);
        let limits = limits(&config);
        let seconds = |time: Duration| time.as_secs();
        assert_eq!(seconds(limits.idle_timeout), 7);
        assert_eq!((seconds(limits.write_timeout), seconds(limits.body_pace.unwrap().window)), (8, 8));
        assert_eq!(limits.request_timeout.map(seconds), Some(9));
    }

    #[test]
    fn zero_is_no_limit() {
        let mut config = Config::default();
        config.http.idle_timeout = Period::secs(0);
        config.http.body_idle_timeout = Period::secs(0);
        config.http.request_timeout = Period::secs(0);
        let limits = limits(&config);
        assert_eq!((limits.idle_timeout, limits.write_timeout), (FOREVER, FOREVER));
        assert!(limits.body_pace.is_none() && limits.request_timeout.is_none());
    }

    #[test]
    fn handles_of_instances_are_as_old_as_the_configuration_lets_them_be() {
        let mut config = Config::default();
        assert_eq!(from_config(&config, 4).limits.handle_age, standing::Limits::default().handle_age);
        config.database.modules.handle_age = Period::secs(7);
        assert_eq!(from_config(&config, 4).limits.handle_age, Duration::from_secs(7));
    }

    #[test]
    fn a_key_that_is_not_valid_yet_stays_so() {
        let mut config = Config::default();
        let not_before = Some("2030-01-01T00:00:00Z".parse().unwrap());
        config.plugins.trust.keys.push(TrustKey {
            id: "next".to_owned(),
            public: String::new(),
            not_before,
            expires: None,
            revoked: false,
        });
        assert_eq!(from_config(&config, 4).trust.keys[0].not_before, not_before);
    }
}
