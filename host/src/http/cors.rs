//! Pages of other origins: the CORS protocol of the Fetch standard, answered by the host for every route.

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};

use super::body::Body;

/// Header fields of answers that pages may read, beside those that every page may.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "grpc-status, grpc-message, location, ratelimit, ratelimit-policy, retry-after, www-authenticate, x-request-id",
);
/// What preflights depend on.
const VARIES: HeaderValue = HeaderValue::from_static("origin, access-control-request-method, access-control-request-headers");

/// Which pages may call, and how.
#[derive(Clone, Debug)]
pub struct Cors {
    origins: Vec<HeaderValue>,
    any: bool,
    methods: HeaderValue,
    headers: HeaderValue,
    credentials: bool,
    max_age: HeaderValue,
}

/// What may be said under CORS.
#[derive(Clone, Debug, Default)]
pub struct CorsRules {
    /// Origins, or `*`.
    pub origins: Vec<String>,
    /// Methods that pages may use.
    pub methods: Vec<String>,
    /// Header fields that pages may send.
    pub headers: Vec<String>,
    /// Whether pages may send cookies and the like; never with `*`.
    pub credentials: bool,
    /// Seconds for which a browser may remember the answer.
    pub max_age: u64,
}

/// An origin that may call, and what is to be said to it.
pub(super) struct Allowed(HeaderValue);

impl Cors {
    /// None when no origin is named, or something is no header value.
    #[must_use]
    pub fn new(rules: &CorsRules) -> Option<Self> {
        let any = rules.origins.iter().any(|origin| origin == "*");
        let value = |text: String| HeaderValue::from_str(&text).ok();
        Some(Self {
            origins: rules.origins.iter().map(|origin| value(origin.clone())).collect::<Option<_>>()?,
            any,
            methods: value(rules.methods.join(", "))?,
            headers: value(rules.headers.join(", "))?,
            credentials: rules.credentials && !any,
            max_age: HeaderValue::from(rules.max_age),
        })
        .filter(|_| !rules.origins.is_empty())
    }

    /// The origin of a request, if its pages may call.
    pub(super) fn allowed(&self, headers: &HeaderMap) -> Option<Allowed> {
        let origin = headers.get(ORIGIN)?;
        if self.any {
            return Some(Allowed(HeaderValue::from_static("*")));
        }
        self.origins.contains(origin).then(|| Allowed(origin.clone()))
    }

    /// The answer to a preflight; none for other requests. A page that may not call gets one that does not say it may.
    pub(super) fn preflight(&self, head: &Parts) -> Option<Response<Body>> {
        let is_preflight =
            head.method == Method::OPTIONS && head.headers.contains_key(ORIGIN) && head.headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        if !is_preflight {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let fields = response.headers_mut();
        fields.insert(VARY, VARIES);
        if self.allowed(&head.headers).is_some() {
            fields.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
            fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, self.headers.clone());
            fields.insert(ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        }
        Some(response)
    }

    /// Says that the page may read the answer, unless the module has said something itself.
    pub(super) fn mark(&self, allowed: Option<Allowed>, fields: &mut HeaderMap) {
        if fields.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        if !self.any && !fields.contains_key(VARY) {
            fields.insert(VARY, HeaderValue::from_static("origin"));
        } else if !self.any {
            fields.append(VARY, HeaderValue::from_static("origin"));
        }
        let Some(Allowed(origin)) = allowed else { return };
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        if self.credentials {
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
    }
}
