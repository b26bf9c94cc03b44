//! From the configuration to what each part of the host goes by.

use std::collections::BTreeMap;

use crate::config::{Config, TrustMode as Mode};
use crate::http::gateway::{Limits, TrustedProxies, proxies::ForwardedBy};
use crate::modules::standing;
use crate::modules::supervisor::Settings;
use crate::modules::trust::{TrustMode, TrustPolicy, TrustedKey};

/// Threads of the host that no module can block.
const SPARE_WORKERS: usize = 2;

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
            in_flight: u64::from(config.http.max_in_flight_per_module),
            threads: u32::try_from(workers.saturating_sub(SPARE_WORKERS).max(1)).unwrap_or(1),
            ..standing::Limits::default()
        },
        sections: config
            .modules
            .iter()
            .map(|(id, section)| (id.clone(), section.clone()))
            .collect::<BTreeMap<_, _>>(),
    }
}

fn trust(config: &Config) -> TrustPolicy {
    let trust = &config.plugins.trust;
    TrustPolicy {
        mode: match trust.mode {
            Mode::Any => TrustMode::Any,
            Mode::Hashed => TrustMode::Hashed,
            Mode::Signed => TrustMode::Signed,
        },
        keys: trust
            .keys
            .iter()
            .map(|key| TrustedKey {
                id: key.id.clone(),
                public: key.public.clone(),
                not_before: None,
                expires: key.expires,
                revoked: key.revoked,
            })
            .collect(),
        hashes: trust.hashes.iter().map(|hash| hash.to_ascii_lowercase()).collect(),
        min_versions: trust.min_versions.clone(),
    }
}

/// For the public listener.
pub(super) fn limits(config: &Config) -> Limits {
    let http = &config.http;
    Limits {
        connections: http.max_connections as usize,
        header_bytes: usize::try_from(http.max_header_bytes.0).unwrap_or(usize::MAX),
        header_timeout: http.header_timeout.get(),
        body_bytes: http.max_body_bytes.0,
        request_timeout: Some(http.request_timeout.get()).filter(|time| !time.is_zero()),
        ..Limits::default()
    }
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
