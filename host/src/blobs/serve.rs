//! Serves signed addresses on the public listener.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderName, RANGE,
};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::BlobStore;
use super::address::{Grant, PATH, Refused};
use crate::http::body::{Body, BoxError};
use crate::http::gateway::Local;
use crate::modules::endpoint::Responding;
use crate::ports::blobs::{Access, BlobError, Download, Found, Put, Span};

/// What the host serves below [`PATH`].
#[derive(Clone, Debug)]
pub struct SignedBlobs(BlobStore);

/// A blob as a body.
struct Content {
    left: u64,
    content: Option<Box<dyn Download>>,
    reading: Option<Reading>,
}

type Reading = Pin<Box<dyn Future<Output = (Box<dyn Download>, Result<Option<Bytes>, BlobError>)> + Send>>;

impl SignedBlobs {
    /// Of this store.
    #[must_use]
    pub fn new(store: BlobStore) -> Self {
        Self(store)
    }

    async fn answer(self, request: Request<Body>) -> Response<Body> {
        let path = request.uri().path().strip_prefix(PATH).unwrap_or_default();
        let grant = match self.0.signer.check(path, request.uri().query().unwrap_or_default()) {
            Ok(grant) => grant,
            Err(Refused::Signature) => return plain(StatusCode::FORBIDDEN, "the address is not signed for this"),
            Err(Refused::Expired) => return plain(StatusCode::FORBIDDEN, "the address has expired"),
        };
        let done = match (grant.access, request.method()) {
            (Access::Get, &Method::GET | &Method::HEAD) => {
                let range = request
                    .headers()
                    .get(RANGE)
                    .and_then(|value| value.to_str().ok())
                    .and_then(parse_range);
                self.read(&grant, range, request.method() == Method::HEAD).await
            }
            (Access::Put, &Method::PUT) => self.write(&grant, request).await,
            _ => return plain(StatusCode::FORBIDDEN, "the address is signed for another method"),
        };
        done.unwrap_or_else(|error| refusal(&grant, &error))
    }

    async fn read(&self, grant: &Grant, range: Option<Asked>, is_head: bool) -> Result<Response<Body>, BlobError> {
        let span = match range {
            None => None,
            Some(Asked::Span(span)) => Some(span),
            Some(Asked::Last(count)) => {
                let size = self.0.port.head(&grant.module, &grant.key).await?.size;
                Some(Span {
                    start: size.saturating_sub(count),
                    end: None,
                })
            }
        };
        let found = self.0.port.get(&grant.module, &grant.key, span).await?;
        let Found { meta, range, content } = found;
        let length = range.end - range.start;
        let body = if is_head {
            Body::empty()
        } else {
            Body::new(Content {
                left: length,
                content: Some(content),
                reading: None,
            })
        };
        let mut response = Response::new(body);
        if span.is_some() {
            *response.status_mut() = StatusCode::PARTIAL_CONTENT;
            let last = range.end.saturating_sub(1);
            set(&mut response, CONTENT_RANGE, &format!("bytes {}-{last}/{}", range.start, meta.size));
        }
        set(&mut response, CONTENT_LENGTH, &length.to_string());
        let kind = if meta.content_type.is_empty() {
            "application/octet-stream"
        } else {
            &meta.content_type
        };
        set(&mut response, CONTENT_TYPE, kind);
        set(&mut response, ETAG, &format!("\"{}\"", meta.etag.trim_matches('"')));
        set(&mut response, ACCEPT_RANGES, "bytes");
        set(&mut response, CACHE_CONTROL, "private");
        Ok(response)
    }

    async fn write(&self, grant: &Grant, request: Request<Body>) -> Result<Response<Body>, BlobError> {
        let content_type = request
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let put = Put {
            content_type: content_type.trim().to_owned(),
            ..Put::default()
        };
        let limit = self.0.limit(&grant.module);
        let mut upload = self.0.port.put(&grant.module, &grant.key, put).await?;
        let (mut body, mut size) = (request.into_body(), 0_u64);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|source| BlobError::Unavailable {
                doing: "read what is to be written",
                source,
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            size += bytes.len() as u64;
            if size > limit {
                return Err(BlobError::TooLarge {
                    limit,
                    why: "blobs of this module may not be larger",
                });
            }
            upload.write(bytes).await?;
        }
        let meta = upload.finish().await?;
        let mut response = plain(StatusCode::OK, "");
        set(&mut response, ETAG, &format!("\"{}\"", meta.etag.trim_matches('"')));
        Ok(response)
    }
}

impl Local for SignedBlobs {
    fn call(&self, request: Request<Body>) -> Result<Responding, Box<Request<Body>>> {
        if !request.uri().path().starts_with(PATH) {
            return Err(Box::new(request));
        }
        let this = self.clone();
        Ok(Box::pin(async move {
            let mut response = this.answer(request).await;
            // What users gave is shown by itself, and can do nothing on this origin.
            set(
                &mut response,
                CONTENT_SECURITY_POLICY,
                "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            );
            set(&mut response, HeaderName::from_static("x-content-type-options"), "nosniff");
            response
        }))
    }
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        if self.reading.is_none() {
            let Some(mut content) = self.content.take() else {
                return Poll::Ready(None);
            };
            self.reading = Some(Box::pin(async move {
                let read = content.next().await;
                (content, read)
            }));
        }
        let Some(reading) = self.reading.as_mut() else {
            return Poll::Ready(None);
        };
        let (content, read) = ready!(reading.as_mut().poll(cx));
        self.reading = None;
        match read {
            Ok(Some(bytes)) => {
                self.content = Some(content);
                self.left = self.left.saturating_sub(bytes.len() as u64);
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Ok(None) => Poll::Ready(None),
            Err(error) => Poll::Ready(Some(Err(error.into()))),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// A part that a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Span(Span),
    Last(u64),
}

/// One range of bytes (RFC 9110, 14.1.2). Of anything else the whole is sent, as is allowed.
fn parse_range(text: &str) -> Option<Asked> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    if first.is_empty() {
        return last.parse().ok().map(Asked::Last);
    }
    let start = first.parse().ok()?;
    let end = if last.is_empty() {
        None
    } else {
        Some(last.parse::<u64>().ok()?.checked_add(1)?)
    };
    end.is_none_or(|end| end > start).then_some(Asked::Span(Span { start, end }))
}

fn refusal(grant: &Grant, error: &BlobError) -> Response<Body> {
    match error {
        BlobError::NotFound { .. } => plain(StatusCode::NOT_FOUND, "there is no such blob"),
        BlobError::TooLarge { .. } => plain(StatusCode::PAYLOAD_TOO_LARGE, "the blob may not be so large"),
        BlobError::Invalid(_) => plain(StatusCode::BAD_REQUEST, "the content type cannot be kept"),
        BlobError::Range { size, .. } => {
            let mut response = plain(StatusCode::RANGE_NOT_SATISFIABLE, "the range begins after the end");
            set(&mut response, CONTENT_RANGE, &format!("bytes */{size}"));
            response
        }
        BlobError::OverQuota { .. } => plain(StatusCode::INSUFFICIENT_STORAGE, "there may be no more blobs here"),
        BlobError::Full => plain(StatusCode::INSUFFICIENT_STORAGE, "there is no room"),
        other => {
            tracing::warn!(module.id = grant.module, error = %other, "a signed address of a blob could not be served");
            plain(StatusCode::SERVICE_UNAVAILABLE, "the store of blobs does not answer")
        }
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::full(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    set(&mut response, CONTENT_TYPE, "text/plain; charset=utf-8");
    response
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::time::Duration;

    use super::*;
    use crate::ports::blobs::contract::{key, write};

    async fn send(
        store: &BlobStore,
        method: &str,
        address: &str,
        range: Option<&str>,
        body: &'static [u8],
    ) -> (StatusCode, http::HeaderMap, Bytes) {
        let uri = address.strip_prefix("http://127.0.0.1:8080").unwrap();
        let mut request = Request::builder().method(method).uri(uri).header(CONTENT_TYPE, "text/html");
        if let Some(range) = range {
            request = request.header(RANGE, range);
        }
        let request = request.body(Body::full(body)).unwrap();
        let response = SignedBlobs::new(store.clone()).call(request).unwrap().await;
        let (head, body) = response.into_parts();
        (head.status, head.headers, body.collect().await.unwrap().to_bytes())
    }

    async fn signed(store: &BlobStore, name: &str, access: Access) -> String {
        store.address("m", &key(name), access, Duration::from_secs(60)).await.unwrap()
    }

    #[tokio::test]
    async fn a_signed_address_is_written_and_read() {
        let store = BlobStore::in_memory();
        let put = signed(&store, "a/b.html", Access::Put).await;
        assert_eq!(send(&store, "PUT", &put, None, b"<b>0123456789</b>").await.0, 200);
        let get = signed(&store, "a/b.html", Access::Get).await;
        let (status, headers, body) = send(&store, "GET", &get, None, b"").await;
        assert_eq!(
            (status.as_u16(), &body[..], &headers[CONTENT_TYPE]),
            (200, &b"<b>0123456789</b>"[..], &HeaderValue::from_static("text/html"))
        );
        assert!(headers[CONTENT_SECURITY_POLICY].to_str().unwrap().contains("sandbox"));
        for (range, expected, content_range) in [
            ("bytes=3-5", "012", "bytes 3-5/17"),
            ("bytes=-4", "</b>", "bytes 13-16/17"),
            ("bytes=15-", "b>", "bytes 15-16/17"),
        ] {
            let (status, headers, body) = send(&store, "GET", &get, Some(range), b"").await;
            assert_eq!(
                (status.as_u16(), &body[..], &headers[CONTENT_RANGE]),
                (206, expected.as_bytes(), &HeaderValue::from_static(content_range))
            );
        }
        assert_eq!(send(&store, "GET", &get, Some("bytes=17-"), b"").await.0, 416);
        let (status, headers, body) = send(&store, "HEAD", &get, None, b"").await;
        assert_eq!(
            (status.as_u16(), &headers[CONTENT_LENGTH], body.len()),
            (200, &HeaderValue::from_static("17"), 0)
        );
    }

    #[tokio::test]
    async fn a_quota_holds_for_what_is_written_to_a_signed_address() {
        let store = BlobStore::in_memory().with_quotas(crate::blobs::Quotas {
            all: 5,
            ..crate::blobs::Quotas::default()
        });
        for (name, body, expected) in [("a", &b"four"[..], 200), ("b", b"4", 200), ("c", b"5", 507)] {
            let put = signed(&store, name, Access::Put).await;
            assert_eq!(send(&store, "PUT", &put, None, body).await.0, expected, "{name}");
        }
    }

    #[tokio::test]
    async fn what_was_not_signed_is_refused() {
        let mut store = BlobStore::in_memory();
        write(&*store.port, "m", "a", b"secret", Put::default()).await.unwrap();
        let get = signed(&store, "a", Access::Get).await;
        for (method, address) in [
            ("PUT", get.clone()),
            ("DELETE", get.clone()),
            ("PUT", get.replace("=GET", "=PUT")),
            ("GET", get.replace("/m/", "/n/")),
            ("GET", get.split('?').next().unwrap().to_owned()),
        ] {
            let (status, _, body) = send(&store, method, &address, None, b"").await;
            assert_eq!(status, 403, "{method} {address}");
            assert!(!body.starts_with(b"secret"));
        }
        assert_eq!(
            send(&store, "GET", &signed(&store, "none", Access::Get).await, None, b"").await.0,
            404
        );
        store.max_size_of.insert("m".into(), 3);
        assert_eq!(
            send(&store, "PUT", &signed(&store, "b", Access::Put).await, None, b"four").await.0,
            413
        );
        assert!(store.port.head("m", &key("b")).await.is_err());
    }
}
