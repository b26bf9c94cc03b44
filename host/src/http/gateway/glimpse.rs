//! One look over the header fields of a request, for everything the listener wants to know of them.

use std::time::Duration;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::grpc::timeout;
use crate::http::request_id::RequestId;
use crate::security::CallTokens;
use crate::security::call_token::{Carried, WrongToken};
use crate::telemetry::TraceContext;

/// Header fields that only a trusted proxy may set.
const FORWARDING: [&str; 7] = [
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-real-ip",
];

/// What the body of a request is, as far as choosing a way goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Media {
    /// `application/grpc`, with or without a suffix; not gRPC-Web.
    Grpc,
    /// `application/json`.
    Json,
    /// `application/proto`.
    Proto,
    /// Anything else, or nothing.
    Other,
}

/// What the header fields say.
pub(super) struct Glimpse {
    pub(super) media: Media,
    /// `grpc-timeout` or `connect-timeout-ms`.
    pub(super) timeout: Option<Duration>,
    pub(super) traceparent: Option<TraceContext>,
    /// An id that a trusted proxy chose.
    pub(super) request_id: Option<RequestId>,
    /// Wants a WebSocket. `h2c` may be ignored (RFC 9110 7.8), and is.
    pub(super) upgrade: bool,
    reserved: bool,
    forwarding: bool,
}

impl Glimpse {
    pub(super) fn of(headers: &HeaderMap, trusted: bool) -> Self {
        let mut seen = Self {
            media: Media::Other,
            timeout: None,
            traceparent: None,
            request_id: None,
            upgrade: false,
            reserved: false,
            forwarding: false,
        };
        for (name, value) in headers {
            seen.note(name.as_str(), value, trusted);
        }
        seen
    }

    fn note(&mut self, name: &str, value: &HeaderValue, trusted: bool) {
        match name {
            "content-type" => self.media = media(value.as_bytes()),
            "grpc-timeout" => self.timeout = timeout::parse_grpc(value.as_bytes()),
            "connect-timeout-ms" => self.timeout = timeout::parse_connect(value.as_bytes()),
            "traceparent" => self.traceparent = TraceContext::parse(value.as_bytes()),
            "upgrade" => self.upgrade = value.as_bytes().eq_ignore_ascii_case(b"websocket"),
            "x-request-id" if trusted => self.request_id = RequestId::parse(value.as_bytes()),
            "x-request-id" => self.forwarding = true,
            name if name.starts_with("wharf-") => self.reserved = true,
            name if name.starts_with("x-forwarded-") || name == "forwarded" || name == "x-real-ip" => self.forwarding = true,
            _ => {}
        }
    }

    /// What the token of a call between modules says, if there is one.
    pub(super) fn carried(&self, calls: &CallTokens, head: &Parts) -> Option<Result<Carried, WrongToken>> {
        if self.reserved { calls.open(head) } else { None }
    }

    /// Takes out what a client may not say: `wharf-*` from anyone, forwarding from others than trusted proxies.
    pub(super) fn clean(&self, headers: &mut HeaderMap, trusted: bool) {
        if self.reserved {
            let names: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("wharf-")).cloned().collect();
            for name in names {
                headers.remove(name);
            }
        }
        if self.forwarding && !trusted {
            for name in FORWARDING {
                headers.remove(name);
            }
            headers.remove(super::X_REQUEST_ID);
        }
    }
}

fn media(value: &[u8]) -> Media {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let essence = value.get(..end).unwrap_or_default().trim_ascii();
    let starts = |prefix: &[u8]| essence.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    match essence.len() {
        16 if starts(b"application/grpc") => Media::Grpc,
        17.. if starts(b"application/grpc+") => Media::Grpc,
        16 if starts(b"application/json") => Media::Json,
        17 if starts(b"application/proto") => Media::Proto,
        _ => Media::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_types_choose_the_way() {
        for (value, expected) in [
            ("application/grpc", Media::Grpc),
            ("application/grpc+proto", Media::Grpc),
            ("Application/GRPC; x=y", Media::Grpc),
            ("application/grpc-web", Media::Other),
            ("application/grpc-web+proto", Media::Other),
            ("application/json; charset=utf-8", Media::Json),
            ("application/jsonl", Media::Other),
            ("application/proto", Media::Proto),
            ("", Media::Other),
        ] {
            assert_eq!(media(value.as_bytes()), expected, "{value}");
        }
    }

    #[test]
    fn reserved_and_forwarding_fields_of_strangers_are_taken_out() {
        let mut headers = HeaderMap::new();
        for name in [
            "wharf-principal",
            "wharf-x",
            "x-forwarded-for",
            "forwarded",
            "x-real-ip",
            "x-request-id",
            "accept",
        ] {
            headers.append(name, HeaderValue::from_static("1"));
        }
        let mut behind_proxy = headers.clone();
        Glimpse::of(&headers, false).clean(&mut headers, false);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["accept"]);
        Glimpse::of(&behind_proxy, true).clean(&mut behind_proxy, true);
        assert_eq!(behind_proxy.len(), 5);
    }
}
