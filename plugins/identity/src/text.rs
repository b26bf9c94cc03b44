//! What people type: addresses, names and ids, brought into one form and checked.

use crate::error::{Error, Result};

/// Longest address by RFC 5321.
const LONGEST_ADDRESS: usize = 254;
const LONGEST_NAME: usize = 200;

/// An address in lower case.
pub(crate) fn email(text: &str) -> Result<String> {
    let email = text.trim().to_lowercase();
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"' | '\\' | '(' | ')');
    let fine = email
        .rsplit_once('@')
        .is_some_and(|(local, domain)| !local.is_empty() && !local.contains('@') && is_domain(domain));
    if email.len() > LONGEST_ADDRESS || email.contains(bad) || !fine {
        return Err(Error::Invalid(format!(
            "found e-mail address {text:?}, expected one such as ada@example.org"
        )));
    }
    Ok(email)
}

fn is_domain(domain: &str) -> bool {
    domain
        .split('.')
        .all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
}

/// A name for people to read.
pub(crate) fn name(text: &str) -> Result<String> {
    let name = text.trim();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::Invalid(format!(
            "found a name of {} characters, expected at most {LONGEST_NAME} and no control characters",
            name.chars().count()
        )));
    }
    Ok(name.to_owned())
}

/// A name that must not be empty.
pub(crate) fn required_name(text: &str, what: &str) -> Result<String> {
    let name = name(text)?;
    if name.is_empty() {
        return Err(Error::Invalid(format!("found no name, expected that of the {what}")));
    }
    Ok(name)
}

/// The id of a tenant.
pub(crate) fn tenant(text: &str) -> Result<String> {
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if text.is_empty() || text.len() > 63 || !text.chars().all(fine) || !text.starts_with(|c: char| c.is_ascii_lowercase()) {
        return Err(Error::Invalid(format!(
            "found tenant {text:?}, expected 1 to 63 lower-case letters, digits and -, beginning with a letter"
        )));
    }
    Ok(text.to_owned())
}

/// Milliseconds since 1970, now.
pub(crate) fn now() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// The form that crosses.
pub(crate) fn timestamp(millis: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: i32::try_from(millis.rem_euclid(1000)).unwrap_or(0) * 1_000_000,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn addresses_are_lower_case_and_those_that_are_none_are_refused() {
        assert_eq!(email(" Ada@Example.ORG ").unwrap(), "ada@example.org");
        for bad in [
            "",
            "ada",
            "@example.org",
            "ada@",
            "a b@example.org",
            "ada@a..b",
            "a@b@c",
            "Ada <ada@example.org>",
            "a\n@b.c",
            "a@-b.c",
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
    }
}
