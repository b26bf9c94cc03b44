//! A whole answer, with its body read to the end.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use wharf_host::http::outbound::ServedBody;

/// A response whose body has been read.
#[derive(Clone, Debug)]
#[must_use]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// All bytes of the body.
    pub body: Bytes,
    /// Trailers; empty when there were none.
    pub trailers: HeaderMap,
}

impl Answer {
    /// Reads a response to its end.
    ///
    /// # Panics
    /// When the body breaks off, as it does when the module fails half-way.
    #[allow(clippy::panic, reason = "this is an assertion for tests")]
    pub(crate) async fn read(response: http::Response<ServedBody>) -> Self {
        let (head, body) = response.into_parts();
        match body.collect().await {
            Ok(read) => Self {
                status: head.status,
                headers: head.headers,
                trailers: read.trailers().cloned().unwrap_or_default(),
                body: read.to_bytes(),
            },
            Err(error) => panic!("the body of an answer with status {} broke off: {error}", head.status),
        }
    }

    /// The body as text; bytes that are no UTF-8 are replaced.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not the JSON of a `T`; the message shows the body.
    #[must_use]
    #[allow(clippy::panic, reason = "this is an assertion for tests")]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!(
                "status {}, body is not what was expected: {error}; body: {}",
                self.status,
                self.text()
            ),
        }
    }

    /// A header as text; `None` when it is missing or no text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}
