//! The requests that are measured.

use anyhow::{Result, anyhow};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri};
use wharf_host::http::body::Body;

/// One kind of request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) method: &'static str,
    pub(crate) path: &'static str,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: usize,
}

/// What every client sends.
const ONE: &[(&str, &str)] = &[("host", "127.0.0.1:8080")];

/// What Firefox sends with `fetch`.
const TEN: &[(&str, &str)] = &[
    ("host", "127.0.0.1:8080"),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    ),
    ("accept", "*/*"),
    ("accept-language", "en-US,en;q=0.5"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("referer", "http://127.0.0.1:8080/posts/2026/a-title"),
    ("connection", "keep-alive"),
    ("sec-fetch-dest", "empty"),
    ("sec-fetch-mode", "cors"),
    ("sec-fetch-site", "same-origin"),
];

impl Case {
    /// A small JSON, one header.
    pub(crate) const JSON_1: Self = Self::get("json, 1 header", "/json", ONE);
    /// A small JSON, ten headers as a browser sends them.
    pub(crate) const JSON_10: Self = Self::get("json, 10 headers", "/json", TEN);
    /// A small text, one header.
    pub(crate) const PLAIN_1: Self = Self::get("text, 1 header", "/plain", ONE);
    /// A body of 1 MiB there and back.
    pub(crate) const ECHO: Self = Self {
        name: "echo 1 MiB, 1 header",
        method: "POST",
        path: "/echo",
        headers: ONE,
        body: 1 << 20,
    };

    const fn get(name: &'static str, path: &'static str, headers: &'static [(&'static str, &'static str)]) -> Self {
        Self {
            name,
            method: "GET",
            path,
            headers,
            body: 0,
        }
    }

    /// By what the command line calls it.
    pub(crate) fn named(name: &str) -> Result<Self> {
        match name {
            "json-1" => Ok(Self::JSON_1),
            "json-10" => Ok(Self::JSON_10),
            "plain-1" => Ok(Self::PLAIN_1),
            "echo" => Ok(Self::ECHO),
            _ => Err(anyhow!("found case {name:?}, expected json-1, json-10, plain-1 or echo")),
        }
    }

    /// What the command line calls it.
    pub(crate) fn short(&self) -> &'static str {
        match (self.path, self.headers.len()) {
            ("/json", 1) => "json-1",
            ("/json", _) => "json-10",
            ("/plain", _) => "plain-1",
            _ => "echo",
        }
    }
}

/// Makes requests of one case, cheaply and always the same way.
pub(crate) struct Maker {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Maker {
    pub(crate) fn new(case: &Case) -> Result<Self> {
        // As hyper does: all values are parts of one buffer, and of the target too.
        let text: String = case.headers.iter().map(|(_, value)| *value).collect();
        let buffer = Bytes::from(format!("{}{text}", case.path));
        let mut at = case.path.len();
        let mut headers = HeaderMap::with_capacity(case.headers.len());
        for (name, value) in case.headers {
            let value_bytes = buffer.slice(at..at + value.len());
            at += value.len();
            headers.append(HeaderName::from_static(name), HeaderValue::from_maybe_shared(value_bytes)?);
        }
        Ok(Self {
            method: case.method.parse()?,
            uri: Uri::from_maybe_shared(buffer.slice(..case.path.len()))?,
            headers,
            body: Bytes::from(vec![b'x'; case.body]),
        })
    }

    /// One request.
    #[inline]
    pub(crate) fn request(&self) -> Request<Body> {
        let mut request = Request::new(if self.body.is_empty() {
            Body::empty()
        } else {
            Body::full(self.body.clone())
        });
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}
