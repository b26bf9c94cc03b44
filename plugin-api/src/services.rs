//! What the host gives modules: core services, one file each, found by name and major version.
//!
//! The asker's layout is the interface, so a service may gain methods at its end, with a default body, after the
//! method marked `#[sabi(last_prefix_field)]`. Every method may be called on any thread and never unwinds: a panic in
//! the host arrives as a [`Fault`](crate::Fault), or is swallowed where there is no result. To add a service: a file
//! here, one line in the list below, and one file and line each in the SDK and in `host/src/services`.

pub mod audit;
pub mod authz;
pub mod blobs;
pub mod cache;
pub mod channel;
pub mod config;
pub mod database;
pub mod errors;
pub mod events;
pub mod health;
pub mod log;
pub mod metrics;
pub mod notifier;
pub mod runtime;
pub mod scheduler;
pub mod secrets;

macro_rules! core_services {
    ($($name:literal, $major:literal => $object:ty;)*) => {
        $(impl crate::object::Interface for $object {
            const NAME: &'static str = $name;
            const MAJOR: u16 = $major;
        })*

        /// Name and major of every core service in this version of the ABI.
        pub const ALL: &[(&str, u16)] = &[$(($name, $major)),*];

        /// Their layouts, for the snapshot that is committed.
        #[doc(hidden)]
        pub const LAYOUTS: &[&abi_stable::type_layout::TypeLayout] = &[$(<$object as abi_stable::StableAbi>::LAYOUT),*];
    };
}

core_services! {
    "audit", 1 => audit::AuditRef;
    "authz", 1 => authz::AuthzRef;
    "blobs", 1 => blobs::BlobsRef;
    "cache", 1 => cache::CacheRef;
    "channel", 1 => channel::ChannelRef;
    "config", 1 => config::ConfigRef;
    "database", 1 => database::DatabaseRef;
    "errors", 1 => errors::ErrorsRef;
    "events", 1 => events::EventsRef;
    "health", 1 => health::HealthRef;
    "log", 1 => log::LogRef;
    "metrics", 1 => metrics::MetricsRef;
    "notifier", 1 => notifier::NotifierRef;
    "runtime", 1 => runtime::RuntimeRef;
    "scheduler", 1 => scheduler::SchedulerRef;
    "secrets", 1 => secrets::SecretsRef;
}
