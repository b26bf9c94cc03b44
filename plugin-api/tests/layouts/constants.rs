//! Numbers with a meaning.

use std::fmt::Write as _;

use wharf_plugin_api::exports::events::{Order, StartFrom};
use wharf_plugin_api::exports::http::PolicyKind;
use wharf_plugin_api::http::{self, BodyStart};
use wharf_plugin_api::module::HealthState;
use wharf_plugin_api::root::Linkage;
use wharf_plugin_api::services::channel::Behalf;
use wharf_plugin_api::services::log::{FieldKind, Level};
use wharf_plugin_api::services::metrics::MetricKind;
use wharf_plugin_api::{ABI, ABI_DRAFT, FaultCode, exports, services};

macro_rules! numbers {
    ($out:ident: $($type:ident { $($name:ident)* })*) => {
        $(
            let _ = write!($out, "{}:", stringify!($type));
            $(let _ = write!($out, " {}={}", stringify!($name), $type::$name.0);)*
            $out.push('\n');
        )*
    };
}

pub(crate) fn all() -> String {
    let mut out = String::from("# Constants\n");
    let draft = if ABI_DRAFT { "-draft" } else { "" };
    let _ = writeln!(out, "ABI: {}.{}{draft}", ABI.major, ABI.minor);
    let list = |all: &[(&str, u16)]| {
        all.iter()
            .map(|(name, major)| format!("{name}@{major}"))
            .collect::<Vec<_>>()
            .join(" ")
    };
    let _ = writeln!(out, "services: {}", list(services::ALL));
    let _ = writeln!(out, "exports: {}", list(exports::ALL));
    numbers! { out:
        FaultCode { INTERNAL PANICKED UNDECLARED UNSUPPORTED LAYOUT INVALID STOPPED NOT_FOUND UNAVAILABLE DEADLINE CANCELLED BUSY FAILED CONFIG }
        Linkage { DYNAMIC STATIC }
        HealthState { UNKNOWN SERVING DEGRADED NOT_SERVING }
        PolicyKind { NONE PUBLIC AUTHENTICATED REQUIRE }
        Behalf { CALLER OWN }
        Level { OFF ERROR WARN INFO DEBUG TRACE }
        FieldKind { TEXT I64 U64 F64 BOOL }
        MetricKind { COUNTER GAUGE HISTOGRAM }
        StartFrom { NOW START }
        Order { KEY NONE }
    }
    let _ = writeln!(
        out,
        "results: PENDING={} READY={} FAULT={} DATA={} TRAILERS={} END={}",
        http::PENDING,
        http::READY,
        http::FAULT,
        http::DATA,
        http::TRAILERS,
        http::END
    );
    let _ = writeln!(
        out,
        "body: EMPTY={} FULL={} STREAM={}",
        BodyStart::EMPTY,
        BodyStart::FULL,
        BodyStart::STREAM
    );
    let _ = writeln!(out, "TABLE_ABI: {}", http::TABLE_ABI);
    out
}
