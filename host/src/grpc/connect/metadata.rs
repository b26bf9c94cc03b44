//! Metadata: header fields of a POST to those of a gRPC call, and back.

use std::time::Duration;

use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields of the request that belong to HTTP or Connect, not to the call.
fn is_transport(name: &str) -> bool {
    matches!(
        name,
        "accept"
            | "accept-encoding"
            | "connection"
            | "content-encoding"
            | "content-length"
            | "content-type"
            | "expect"
            | "host"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
    ) || name.starts_with("connect-")
        || name.starts_with("grpc-")
}

/// The fields of the gRPC request.
pub(super) fn to_grpc(mut headers: HeaderMap, timeout: Option<Duration>) -> HeaderMap {
    let transport: Vec<HeaderName> = headers.keys().filter(|name| is_transport(name.as_str())).cloned().collect();
    for name in transport {
        headers.remove(name);
    }
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc+proto"));
    headers.insert(TE, HeaderValue::from_static("trailers"));
    if let Some(value) = timeout.and_then(|timeout| HeaderValue::from_str(&grpc_timeout(timeout)).ok()) {
        headers.insert("grpc-timeout", value);
    }
    headers
}

/// Leading metadata as header fields, trailing metadata as fields that begin with `trailer-`.
pub(super) fn from_grpc(into: &mut HeaderMap, headers: HeaderMap, trailers: HeaderMap) {
    for (name, value) in &headers {
        if !is_transport(name.as_str()) {
            into.append(name, value.clone());
        }
    }
    for (name, value) in &trailers {
        if !is_transport(name.as_str())
            && let Ok(name) = HeaderName::try_from(format!("trailer-{name}"))
        {
            into.append(name, value.clone());
        }
    }
}

/// At most eight digits: in milliseconds, or in seconds where that is too long.
fn grpc_timeout(timeout: Duration) -> String {
    match timeout.as_millis() {
        millis @ 0..=99_999_999 => format!("{millis}m"),
        _ => format!("{}S", timeout.as_secs().min(99_999_999)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_fit_eight_digits() {
        assert_eq!(grpc_timeout(Duration::from_millis(1500)), "1500m");
        assert_eq!(grpc_timeout(Duration::from_secs(200_000)), "200000S");
    }
}
