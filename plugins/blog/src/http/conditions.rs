//! ETags, and what requests say of them (RFC 9110, section 13).

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::error::{Error, Result};
use crate::posts::Expected;

/// The versions in `If-Match`; 428 when it is missing. Tags that are weak or none of ours match nothing.
pub(super) fn expected(headers: &HeaderMap) -> Result<Expected> {
    let tags = tags(headers, header::IF_MATCH);
    if tags.is_empty() {
        return Err(Error::NoCondition);
    }
    if tags.iter().any(|tag| tag == "*") {
        return Ok(Expected::Any);
    }
    let version = |tag: &String| tag.strip_prefix('"')?.strip_suffix('"')?.parse().ok();
    Ok(Expected::OneOf(tags.iter().filter_map(version).collect()))
}

/// Whether the client has this representation already: `If-None-Match`, compared weakly.
pub(super) fn is_known(headers: &HeaderMap, etag: &str) -> bool {
    let bare = |tag: &str| tag.strip_prefix("W/").unwrap_or(tag).to_owned();
    tags(headers, header::IF_NONE_MATCH)
        .iter()
        .any(|tag| tag == "*" || bare(tag) == bare(etag))
}

/// The strong tag of a version of a draft.
pub(super) fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

/// A value of a header that is made of numbers, hexadecimal digits and quotes.
pub(super) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}

/// The tags of a list. None of ours has a comma.
fn tags(headers: &HeaderMap, name: HeaderName) -> Vec<String> {
    let values = headers.get_all(name);
    let texts = values.iter().filter_map(|value| value.to_str().ok());
    texts
        .flat_map(|text| text.split(','))
        .map(|tag| tag.trim().to_owned())
        .filter(|tag| !tag.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn with(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    #[test]
    fn versions_are_read_and_what_is_weak_or_strange_matches_nothing() {
        let read = |text: &str| expected(&with(header::IF_MATCH, text)).unwrap();
        assert_eq!(read("\"3\""), Expected::OneOf(vec![3]));
        assert_eq!(read("\"3\", \"4\""), Expected::OneOf(vec![3, 4]));
        assert_eq!(read("*"), Expected::Any);
        for none in ["W/\"3\"", "3", "\"x\"", "\""] {
            assert_eq!(read(none), Expected::OneOf(vec![]), "{none}");
        }
        assert!(matches!(expected(&HeaderMap::new()), Err(Error::NoCondition)));
    }

    #[test]
    fn what_is_known_is_told_weakly() {
        for (sent, known) in [
            ("W/\"a-1\"", true),
            ("\"a-1\"", true),
            ("*", true),
            ("\"b\", W/\"a-1\"", true),
            ("\"a-2\"", false),
        ] {
            assert_eq!(is_known(&with(header::IF_NONE_MATCH, sent), "W/\"a-1\""), known, "{sent}");
        }
        assert!(!is_known(&HeaderMap::new(), "W/\"a-1\""));
    }
}
