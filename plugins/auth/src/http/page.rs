//! The pages people see: a login form and an error. No script, one style sheet, nothing from elsewhere.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openidconnect::url::Url;
use sha2::{Digest as _, Sha256};

use super::errors::NO_STORE;
use crate::config::Provider;
use crate::failure::Failure;

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:22rem;margin:12vh auto;padding:0 1rem;color:#1b2430;background:#f6f7f9}\
form,p{margin:1rem 0}label{display:block;margin:.75rem 0}input{display:block;width:100%;box-sizing:border-box;padding:.5rem;font:inherit}\
button{padding:.5rem 1rem;font:inherit}.wrong{color:#a4161a}@media(prefers-color-scheme:dark){body{color:#e8eaed;background:#15191e}.wrong{color:#ff8a8a}}";

/// The login form of one request.
pub(super) struct Page<'a> {
    pub(super) request: &'a str,
    pub(super) client: &'a str,
    pub(super) redirect_uri: &'a str,
    pub(super) login: &'a str,
    pub(super) wrong: Option<String>,
    pub(super) providers: &'a [Provider],
}

impl IntoResponse for Page<'_> {
    fn into_response(self) -> Response {
        let wrong = self
            .wrong
            .as_ref()
            .map(|text| format!("<p class=\"wrong\" role=\"alert\">{}</p>", escaped(text)));
        let request = escaped(self.request);
        let mut others = String::new();
        for provider in self.providers {
            let name = escaped(provider.name.as_deref().unwrap_or(&provider.id));
            let id = &provider.id;
            others.push_str(&format!("<p><a href=\"login/{id}?request={request}\">Log in with {name}</a></p>"));
        }
        let body = format!(
            "<h1>Log in</h1><p>to go on to {}</p>{}<form method=\"post\" action=\"authorize\" autocomplete=\"on\">\
             <input type=\"hidden\" name=\"request\" value=\"{request}\">\
             <label>E-mail<input name=\"login\" type=\"text\" inputmode=\"email\" autocomplete=\"username\" required value=\"{}\"></label>\
             <label>Password<input name=\"password\" type=\"password\" autocomplete=\"current-password\" required></label>\
             <label>Tenant<input name=\"tenant\" type=\"text\" placeholder=\"default\" autocomplete=\"organization\"></label>\
             <button type=\"submit\">Log in</button></form>{others}",
            escaped(self.client),
            wrong.as_deref().unwrap_or_default(),
            escaped(self.login),
        );
        let status = if wrong.is_some() {
            StatusCode::UNAUTHORIZED
        } else {
            StatusCode::OK
        };
        // Browsers hold the way on after the form against `form-action` too.
        page(status, "Log in", &body, &format!("'self' {}", origin(self.redirect_uri)))
    }
}

/// A page that says what went wrong. Nothing is sent anywhere.
pub(super) fn error_page(failure: &Failure) -> Response {
    failure.log();
    let status = match failure {
        Failure::Wrong | Failure::Client | Failure::Grant(_) => StatusCode::UNAUTHORIZED,
        Failure::Locked(_) => StatusCode::TOO_MANY_REQUESTS,
        Failure::Forbidden(_) => StatusCode::FORBIDDEN,
        Failure::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
        Failure::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        Failure::Invalid(_) | Failure::Scope(_) | Failure::Missing(_) => StatusCode::BAD_REQUEST,
    };
    let body = format!(
        "<h1>This login cannot go on</h1><p role=\"alert\">{}</p>",
        escaped(&failure.to_string())
    );
    page(status, "Log in", &body, "'none'")
}

fn page(status: StatusCode, title: &str, body: &str, form_action: &str) -> Response {
    let html = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    );
    let style = STANDARD.encode(Sha256::digest(STYLE));
    let policy =
        format!("default-src 'none'; style-src 'sha256-{style}'; form-action {form_action}; frame-ancestors 'none'; base-uri 'none'");
    let mut response = (status, NO_STORE, html).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(policy) = HeaderValue::from_str(&policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Where a redirect goes, as a source of a policy.
fn origin(uri: &str) -> String {
    match Url::parse(uri) {
        Ok(uri) if matches!(uri.scheme(), "http" | "https") => uri.origin().ascii_serialization(),
        Ok(uri) => format!("{}:", uri.scheme()),
        Err(_) => String::new(),
    }
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() => {}
            c => safe.push(c),
        }
    }
    safe
}
