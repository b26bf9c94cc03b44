//! What stands in paths and header fields: ids, and the version that a write is about.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use wharf_sdk::Problem;

use crate::error::{Error, Result};
use crate::text;

/// The id in the path, in the form that is kept. Anything else is the id of nothing.
pub(super) struct Id(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Id {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await.ok();
        let id = path.and_then(|Path(id)| text::id(&id));
        id.map(Self).ok_or_else(|| Problem::not_found("there is no such thing"))
    }
}

/// The version that a write is about: `If-Match: "3"`.
pub(super) fn version(headers: &HeaderMap) -> Result<i64> {
    let tag = headers.get(header::IF_MATCH).ok_or(Error::NoVersion)?;
    let tag = tag.to_str().unwrap_or_default();
    let is_tag = tag == "*" || (tag.len() > 1 && tag.trim_start_matches("W/").starts_with('"') && tag.ends_with('"'));
    if !is_tag {
        let text = "found an If-Match that is no entity tag, expected one such as \"3\"";
        return Err(Error::Invalid(text.to_owned()));
    }
    // A weak tag never matches here (RFC 9110), and `*` would lose what others changed.
    let number = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')?.parse().ok());
    number.ok_or(Error::Stale)
}

/// A version as an entity tag.
pub(super) fn etag(version: i64) -> [(axum::http::HeaderName, String); 1] {
    [(header::ETAG, format!("\"{version}\""))]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_write_says_which_version_it_is_about() {
        let with = |tag: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, tag.parse().unwrap());
            version(&headers)
        };
        assert_eq!(with("\"3\"").unwrap(), 3);
        assert!(matches!(with("3"), Err(Error::Invalid(_))));
        for other in ["W/\"3\"", "*", "\"x\""] {
            assert!(matches!(with(other), Err(Error::Stale)), "{other}");
        }
        assert!(matches!(version(&HeaderMap::new()), Err(Error::NoVersion)));
    }
}
