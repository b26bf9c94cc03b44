//! Bearer tokens in the header field `Authorization`, RFC 6750 2.1.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use super::claims::Rejected;

/// Longest token that is looked at.
pub(super) const LONGEST: usize = 8 * 1024;
/// What API keys begin with.
const API_KEY: &str = "wharf_";

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bearer<'a> {
    /// No token; other schemes are the business of modules.
    None,
    /// A signed token, or something that is none: whoever decodes it says so.
    Token(&'a str),
    /// An API key.
    ApiKey(&'a str),
    /// Something that cannot be a token.
    Malformed(Rejected),
}

/// Whether a value of `Authorization` is a bearer token.
#[must_use]
pub fn is_bearer(value: &HeaderValue) -> bool {
    after_scheme(value.as_bytes()).is_some()
}

pub(super) fn bearer(headers: &HeaderMap) -> Bearer<'_> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Bearer::None };
    if values.next().is_some() {
        return match headers.get_all(AUTHORIZATION).iter().any(is_bearer) {
            true => Bearer::Malformed(Rejected::Twice),
            false => Bearer::None,
        };
    }
    let Some(token) = after_scheme(value.as_bytes()) else {
        return Bearer::None;
    };
    if token.len() > LONGEST {
        return Bearer::Malformed(Rejected::TooLong);
    }
    match std::str::from_utf8(token) {
        Ok(token) if token.starts_with(API_KEY) && token.bytes().all(is_token) => Bearer::ApiKey(token),
        // Its characters are looked at when it is decoded, which is once for all its requests.
        Ok(token) if !token.is_empty() && !token.starts_with(API_KEY) => Bearer::Token(token),
        _ => Bearer::Malformed(Rejected::Malformed),
    }
}

/// What follows `Bearer `, in any case.
fn after_scheme(value: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return None;
    }
    match rest.first() {
        None => Some(rest),
        Some(b' ') => Some(rest.trim_ascii()),
        Some(_) => None,
    }
}

/// `b64token` of RFC 6750.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_one_well_formed_bearer_token_is_taken() {
        for (values, expected) in [
            (&[][..], Bearer::None),
            (&["Basic YTpi"], Bearer::None),
            (&["Bearerx a"], Bearer::None),
            (&["Basic YTpi", "Basic YTpi"], Bearer::None),
            (&["Bearer a.b.c"], Bearer::Token("a.b.c")),
            (&["bEARER   a.b.c "], Bearer::Token("a.b.c")),
            (&["Bearer wharf_x1"], Bearer::ApiKey("wharf_x1")),
            (&["Bearer"], Bearer::Malformed(Rejected::Malformed)),
            (&["Bearer a b"], Bearer::Token("a b")),
            (&["Bearer wharf_a b"], Bearer::Malformed(Rejected::Malformed)),
            (&["Bearer wharf_a\"b"], Bearer::Malformed(Rejected::Malformed)),
            (&["Bearer a", "Bearer a"], Bearer::Malformed(Rejected::Twice)),
            (&["Basic YTpi", "Bearer a"], Bearer::Malformed(Rejected::Twice)),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers), expected, "{values:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, format!("Bearer {}", "a".repeat(LONGEST + 1)).parse().unwrap());
        assert_eq!(bearer(&headers), Bearer::Malformed(Rejected::TooLong));
    }
}
