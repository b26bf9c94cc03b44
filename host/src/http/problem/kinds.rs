//! The one table of what can go wrong, and the codes it has in each protocol.

use http::StatusCode;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $status:ident, $slug:literal, $title:literal, $grpc:literal $(, retry $retry:literal)?;)*) => {
        /// What went wrong, as far as a client needs to know.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $name,)*
        }

        impl ErrorKind {
            /// Every kind, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The row of the table for this kind.
            #[must_use]
            pub fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => {
                        const ROW: Row = Row {
                            status: StatusCode::$status,
                            type_path: concat!("/problems/", $slug),
                            title: $title,
                            grpc: $grpc,
                            retry_after: kinds!(@retry $($retry)?),
                        };
                        &ROW
                    })*
                }
            }
        }
    };
    (@retry) => { None };
    (@retry $retry:literal) => { Some($retry) };
}

/// One kind of failure in each protocol.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// HTTP status.
    pub status: StatusCode,
    /// RFC 9457 `type`, a URI reference relative to the host.
    pub type_path: &'static str,
    /// RFC 9457 `title`.
    pub title: &'static str,
    /// gRPC status code.
    pub grpc: i32,
    /// Seconds for `Retry-After`, where trying again makes sense.
    pub retry_after: Option<u32>,
}

kinds! {
    /// The request is not understandable.
    BadRequest = BAD_REQUEST, "bad-request", "Bad request", 3;
    /// Nobody knows who is calling.
    Unauthenticated = UNAUTHORIZED, "unauthenticated", "Unauthenticated", 16;
    /// The caller may not do this.
    Forbidden = FORBIDDEN, "forbidden", "Forbidden", 7;
    /// No module serves this path, or no gRPC service has this method.
    NotFound = NOT_FOUND, "not-found", "Not found", 12;
    /// The path is served, the method is not.
    MethodNotAllowed = METHOD_NOT_ALLOWED, "method-not-allowed", "Method not allowed", 12;
    /// The client sent its body too slowly.
    RequestTimeout = REQUEST_TIMEOUT, "request-timeout", "Request timeout", 4;
    /// The body is larger than this host takes.
    BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "Body too large", 8;
    /// The media type is not one this path takes.
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE, "unsupported-media-type", "Unsupported media type", 3;
    /// Too many calls from this caller.
    TooManyRequests = TOO_MANY_REQUESTS, "too-many-requests", "Too many requests", 8, retry 1;
    /// The header is larger, or has more fields, than this host takes.
    HeaderTooLarge = REQUEST_HEADER_FIELDS_TOO_LARGE, "header-too-large", "Request header fields too large", 8;
    /// The host does not do this: upgrades, CONNECT.
    NotImplemented = NOT_IMPLEMENTED, "not-implemented", "Not implemented", 12;
    /// A handler panicked.
    Panicked = INTERNAL_SERVER_ERROR, "module-panicked", "The module failed", 13;
    /// The host or a module failed in another way.
    Internal = INTERNAL_SERVER_ERROR, "internal", "Internal error", 13;
    /// No answer by the deadline.
    Deadline = SERVICE_UNAVAILABLE, "deadline", "No answer in time", 4, retry 1;
    /// A handler blocks its thread; the module is kept from more.
    Stuck = SERVICE_UNAVAILABLE, "module-stuck", "The module does not respond", 14, retry 5;
    /// Who calls, or what they may, cannot be found out at this moment.
    CallersUnknown = SERVICE_UNAVAILABLE, "callers-unknown", "Callers cannot be checked", 14, retry 5;
    /// Too many calls in flight in this module.
    Busy = SERVICE_UNAVAILABLE, "busy", "Too busy", 8, retry 1;
    /// The module is being replaced and its successor is not there yet.
    Draining = SERVICE_UNAVAILABLE, "draining", "Being replaced", 14, retry 1;
    /// The module was stopped.
    Stopped = SERVICE_UNAVAILABLE, "module-stopped", "The module is stopped", 14, retry 5;
    /// The module is not running, or quarantined.
    Unavailable = SERVICE_UNAVAILABLE, "module-unavailable", "The module is not available", 14, retry 5;
}

/// Name and HTTP status of a gRPC code in the Connect protocol (specification, "Error codes").
pub(super) fn connect_code(grpc: i32) -> (&'static str, StatusCode) {
    // 499 has no name in the http crate; Connect uses it for `canceled`.
    let canceled = StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST);
    match grpc {
        1 => ("canceled", canceled),
        3 => ("invalid_argument", StatusCode::BAD_REQUEST),
        4 => ("deadline_exceeded", StatusCode::GATEWAY_TIMEOUT),
        5 => ("not_found", StatusCode::NOT_FOUND),
        6 => ("already_exists", StatusCode::CONFLICT),
        7 => ("permission_denied", StatusCode::FORBIDDEN),
        8 => ("resource_exhausted", StatusCode::TOO_MANY_REQUESTS),
        9 => ("failed_precondition", StatusCode::BAD_REQUEST),
        10 => ("aborted", StatusCode::CONFLICT),
        11 => ("out_of_range", StatusCode::BAD_REQUEST),
        12 => ("unimplemented", StatusCode::NOT_IMPLEMENTED),
        13 => ("internal", StatusCode::INTERNAL_SERVER_ERROR),
        14 => ("unavailable", StatusCode::SERVICE_UNAVAILABLE),
        15 => ("data_loss", StatusCode::INTERNAL_SERVER_ERROR),
        16 => ("unauthenticated", StatusCode::UNAUTHORIZED),
        _ => ("unknown", StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_its_own_type_and_a_real_error_code() {
        let mut types: Vec<_> = ErrorKind::ALL.iter().map(|kind| kind.row().type_path).collect();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), ErrorKind::ALL.len());
        for kind in ErrorKind::ALL {
            let row = kind.row();
            assert!(row.status.is_client_error() || row.status.is_server_error(), "{kind:?}");
            assert!((1..=16).contains(&row.grpc), "{kind:?}");
        }
    }
}
