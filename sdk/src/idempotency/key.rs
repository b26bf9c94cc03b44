//! The key of a request: whose it is, and what it came with.

use http::HeaderMap;
use http::request::Parts;
use sha2::{Digest, Sha256};

use super::Mark;
use crate::principal::Principal;
use crate::problem::Problem;

const NAME: &str = "idempotency-key";
const MAX: usize = 255;

/// The key, which is a string of RFC 8941; without its quotes it is taken too, as many clients send it.
pub(super) fn read(headers: &HeaderMap) -> Result<String, Problem> {
    let mut values = headers.get_all(NAME).iter();
    let value = values.next().ok_or_else(|| {
        Problem::bad_request(
            "this route needs the header field Idempotency-Key: a new key, such as a UUID, for each request that is not a retry",
        )
    })?;
    let text = value.to_str().unwrap_or_default().trim();
    let key = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(text);
    let is_key = !key.is_empty() && key.len() <= MAX && key.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'\\'));
    if !is_key || values.next().is_some() {
        return Err(Problem::bad_request(format!(
            "found an Idempotency-Key that is none, expected one of 1 to {MAX} visible characters, such as a UUID"
        )));
    }
    Ok(key.to_owned())
}

/// Whose key it is: of this caller, for this route. Nobody finds out what another one has used.
pub(super) fn scope(mark: &Mark, key: &str) -> String {
    let who = Principal::current();
    let (tenant, subject) = who.as_ref().map_or(("", "anonymous"), |who| (who.tenant.as_str(), who.subject()));
    hex(&[tenant, subject, &mark.method, &mark.template, key].map(str::as_bytes))
}

/// What it came with.
pub(super) fn hash(head: &Parts, body: &[u8]) -> String {
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    hex(&[head.method.as_str().as_bytes(), target.as_bytes(), body])
}

fn hex(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use http::HeaderValue;

    use super::*;

    #[test]
    fn keys_are_taken_with_and_without_quotes() {
        let with = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(NAME, HeaderValue::from_static(value));
            read(&headers).ok()
        };
        assert_eq!(with("\"a-1\""), Some("a-1".to_owned()));
        assert_eq!(with("a-1"), Some("a-1".to_owned()));
        for wrong in ["", "\"\"", "a b", "a\"b"] {
            assert_eq!(with(wrong), None, "{wrong}");
        }
        assert!(
            read(&HeaderMap::new())
                .unwrap_err()
                .to_string()
                .contains("needs the header field Idempotency-Key")
        );
    }
}
