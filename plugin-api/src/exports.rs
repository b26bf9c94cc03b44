//! What a module gives the host: exports, one file each, found by name and major version.
//!
//! The host is the asker, so its layout is the interface and an export never grows: `http` 2 would come beside `http` 1.

pub mod events;
pub mod http;
pub mod jobs;
pub mod migrations;
pub mod openapi;

macro_rules! exports {
    ($($name:literal, $major:literal => $object:ty;)*) => {
        $(impl crate::object::Interface for $object {
            const NAME: &'static str = $name;
            const MAJOR: u16 = $major;
        })*

        /// Name and major of every export in this version of the ABI.
        pub const ALL: &[(&str, u16)] = &[$(($name, $major)),*];

        /// Their layouts, for the snapshot that is committed.
        #[doc(hidden)]
        pub const LAYOUTS: &[&abi_stable::type_layout::TypeLayout] = &[$(<$object as abi_stable::StableAbi>::LAYOUT),*];
    };
}

exports! {
    "events", 1 => events::EventsExport;
    "http", 1 => http::HttpExport;
    "jobs", 1 => jobs::JobsExport;
    "migrations", 1 => migrations::MigrationsExport;
    "openapi", 1 => openapi::OpenApiExport;
}
