//! The page `/docs`, on which people read the OpenAPI document of the host and try it. Its files are in the program.

use std::borrow::Cow;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use utoipa_swagger_ui::{Config, serve};
use wharf_host::http::body::Body;
use wharf_host::http::gateway::Local;
use wharf_host::http::openapi;
use wharf_host::modules::endpoint::Responding;

/// Where it is.
pub(super) const PATH: &str = "/docs";
/// The page loads nothing from elsewhere, and its script speaks to this host alone.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

/// Serves the page.
pub(super) struct DocsPage(Arc<Config<'static>>);

impl DocsPage {
    pub(super) fn new() -> Self {
        Self(Arc::new(Config::from(openapi::PATH)))
    }

    fn answer(&self, path: &str) -> Response<Body> {
        if path.is_empty() {
            let mut response = empty(StatusCode::PERMANENT_REDIRECT);
            response.headers_mut().insert(LOCATION, HeaderValue::from_static("/docs/"));
            return response;
        }
        let Ok(Some(file)) = serve(path.trim_start_matches('/'), Arc::clone(&self.0)) else {
            return empty(StatusCode::NOT_FOUND);
        };
        let mut response = Response::new(match file.bytes {
            Cow::Borrowed(bytes) => Body::full(bytes),
            Cow::Owned(bytes) => Body::full(bytes),
        });
        let fields = response.headers_mut();
        if let Ok(kind) = HeaderValue::from_str(&file.content_type) {
            fields.insert(CONTENT_TYPE, kind);
        }
        if file.gzpipped {
            fields.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
        fields.insert(CONTENT_SECURITY_POLICY, POLICY);
        response
    }
}

impl Local for DocsPage {
    fn call(&self, request: Request<Body>) -> Result<Responding, Box<Request<Body>>> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let rest = request.uri().path().strip_prefix(PATH).map(str::to_owned);
        match rest {
            Some(rest) if is_read && (rest.is_empty() || rest.starts_with('/')) => Ok(Box::pin(std::future::ready(self.answer(&rest)))),
            _ => Err(Box::new(request)),
        }
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
