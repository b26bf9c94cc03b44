//! Header fields that tell browsers to be careful.

use http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS};
use http::{HeaderMap, HeaderName, HeaderValue};

/// Fields that every answer gets, unless the module has set them itself. By default none.
#[derive(Clone, Debug, Default)]
pub struct Shield(Vec<(HeaderName, HeaderValue)>);

impl Shield {
    /// No field yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Browsers do not guess media types.
    #[must_use]
    pub fn nosniff(self) -> Self {
        self.with(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"))
    }

    /// What other sites learn of where their visitors come from. Text that is no header value is left out.
    #[must_use]
    pub fn referrer_policy(self, policy: &str) -> Self {
        match HeaderValue::from_str(policy) {
            Ok(value) if !policy.is_empty() => self.with(REFERRER_POLICY, value),
            _ => self,
        }
    }

    /// Nobody shows answers in a frame, or with `own_pages` only pages of the same origin.
    #[must_use]
    pub fn frames(self, own_pages: bool) -> Self {
        let (old, new) = match own_pages {
            true => ("SAMEORIGIN", "frame-ancestors 'self'"),
            false => ("DENY", "frame-ancestors 'none'"),
        };
        self.with(X_FRAME_OPTIONS, HeaderValue::from_static(old))
            .with(CONTENT_SECURITY_POLICY, HeaderValue::from_static(new))
    }

    /// Browsers use TLS from now on, for so many seconds. Only for a listener with TLS.
    #[must_use]
    pub fn hsts(self, seconds: u64) -> Self {
        match HeaderValue::from_str(&format!("max-age={seconds}")) {
            Ok(value) if seconds > 0 => self.with(STRICT_TRANSPORT_SECURITY, value),
            _ => self,
        }
    }

    fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.push((name, value));
        self
    }

    pub(super) fn write(&self, fields: &mut HeaderMap) {
        for (name, value) in &self.0 {
            if !fields.contains_key(name) {
                fields.insert(name.clone(), value.clone());
            }
        }
    }
}
