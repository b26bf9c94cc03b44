//! What a failure looks like on the wire: RFC 9457 problem+json, a gRPC status or a Connect error, from one table.

mod kinds;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use serde_json::json;

use super::body::Body;
pub use kinds::{ErrorKind, Row};

/// `application/problem+json`.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
/// `grpc-status`.
pub const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
/// `grpc-message`.
pub const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Response extension: the gRPC status behind a Connect answer, for the record of the call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GrpcCode(pub(crate) i32);

/// The language of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// Status line and problem+json.
    Http,
    /// 200 and trailers only.
    Grpc,
    /// The Connect unary protocol: status line and its own JSON.
    Connect,
}

/// Answers that the host makes itself.
#[derive(Clone, Copy, Debug)]
pub struct Problem;

impl Problem {
    /// A failure as the client is to see it: problem+json, or for gRPC 200 with `grpc-status` (trailers only).
    /// `detail` is one sentence for the client; the chain of causes belongs in the log.
    #[must_use]
    pub fn response(kind: ErrorKind, detail: &str, request_id: &str, is_grpc: bool) -> Response<Body> {
        Self::on(kind, detail, request_id, if is_grpc { Wire::Grpc } else { Wire::Http })
    }

    /// The same in any of the three languages.
    #[must_use]
    pub fn on(kind: ErrorKind, detail: &str, request_id: &str, wire: Wire) -> Response<Body> {
        let mut response = match wire {
            Wire::Http => problem_json(kind.row(), detail, request_id),
            Wire::Grpc => grpc_status(kind.row().grpc, detail),
            Wire::Connect => connect_error(kind.row().grpc, detail, &[]),
        };
        if wire == Wire::Connect {
            response.extensions_mut().insert(GrpcCode(kind.row().grpc));
        }
        // Whoever renders the answer again, and the metrics, can tell the host's failures from a module's.
        response.extensions_mut().insert(kind);
        if wire == Wire::Grpc {
            return response;
        }
        if kind == ErrorKind::Unauthenticated {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"wharf\""));
        }
        if let Some(seconds) = kind.row().retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// 200 and a gRPC status in the head, which is how a call that never began ends.
#[must_use]
pub fn grpc_status(code: i32, message: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    write_grpc_status(headers, code, message);
    response
}

/// Writes `grpc-status` and, unless it is empty, `grpc-message` (percent-encoded, as the gRPC protocol wants).
pub fn write_grpc_status(headers: &mut HeaderMap, code: i32, message: &str) {
    headers.insert(GRPC_STATUS, HeaderValue::from(code));
    if !message.is_empty()
        && let Ok(value) = HeaderValue::from_str(&percent_encode(message))
    {
        headers.insert(GRPC_MESSAGE, value);
    }
}

/// A gRPC status in the words of the Connect specification: `not_found`.
pub(crate) fn grpc_name(code: i32) -> &'static str {
    kinds::connect_code(code).0
}

/// A Connect error body with the status of the Connect specification. `details` are `(type, bytes)`.
#[must_use]
pub fn connect_error(grpc: i32, message: &str, details: &[(String, Bytes)]) -> Response<Body> {
    use base64::Engine as _;
    let (name, status) = kinds::connect_code(grpc);
    let mut body = json!({ "code": name });
    if let Some(map) = body.as_object_mut() {
        if !message.is_empty() {
            map.insert("message".to_owned(), message.into());
        }
        if !details.is_empty() {
            let list = details.iter().map(|(kind, value)| {
                let value = base64::engine::general_purpose::STANDARD_NO_PAD.encode(value);
                json!({ "type": kind, "value": value })
            });
            map.insert("details".to_owned(), list.collect());
        }
    }
    json_response(status, HeaderValue::from_static("application/json"), &body)
}

fn problem_json(row: &Row, detail: &str, request_id: &str) -> Response<Body> {
    let body = json!({
        "type": row.type_path,
        "title": row.title,
        "status": row.status.as_u16(),
        "detail": detail,
        "request_id": request_id,
    });
    json_response(row.status, PROBLEM_JSON, &body)
}

fn json_response(status: StatusCode, content_type: HeaderValue, body: &serde_json::Value) -> Response<Body> {
    let mut response = Response::new(Body::full(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn percent_encode(message: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(message.len());
    for byte in message.bytes() {
        match byte {
            b' '..=b'$' | b'&'..=b'~' => out.push(char::from(byte)),
            _ => {
                // Writing to a string cannot fail.
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use http_body_util::BodyExt;

    use super::*;

    async fn text(response: Response<Body>) -> serde_json::Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn a_problem_names_its_type_title_status_detail_and_request() {
        let response = Problem::response(ErrorKind::Busy, "module \"blog\" is busy", "id-1", false);
        assert_eq!(response.status(), 503);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["retry-after"], "1");
        let body = text(response).await;
        assert_eq!(body["type"], "/problems/busy");
        assert_eq!(body["status"], 503);
        assert_eq!(body["detail"], "module \"blog\" is busy");
        assert_eq!(body["request_id"], "id-1");
    }

    #[test]
    fn a_panicked_grpc_handler_is_200_with_status_13() {
        let response = Problem::response(ErrorKind::Panicked, "it 100% panicked\nbadly", "id", true);
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "application/grpc");
        assert_eq!(response.headers()["grpc-status"], "13");
        assert_eq!(response.headers()["grpc-message"], "it 100%25 panicked%0Abadly");
        assert!(http_body::Body::is_end_stream(response.body()));
    }

    #[tokio::test]
    async fn a_connect_error_has_the_status_of_its_code() {
        let response = connect_error(3, "no name", &[("greeter.v1.Why".to_owned(), Bytes::from_static(&[1, 2]))]);
        assert_eq!(response.status(), 400);
        let body = text(response).await;
        assert_eq!(
            body,
            json!({"code": "invalid_argument", "message": "no name", "details": [{"type": "greeter.v1.Why", "value": "AQI"}]})
        );
    }
}
