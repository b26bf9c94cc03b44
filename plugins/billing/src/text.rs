//! What people and programs send, brought into one form and checked; and times and days in the forms that are kept and shown.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::error::{Error, Result};

/// Longest name, description or reason, in characters.
pub(crate) const LONGEST_NAME: usize = 200;
/// Longest address by RFC 5321.
const LONGEST_ADDRESS: usize = 254;
/// Longest key, code, feature or token.
const LONGEST_KEY: usize = 64;

/// An id that sorts by when it was made.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// An id in the form that is kept; none for what cannot be one. Of the forms of a UUID the one with hyphens is taken.
pub(crate) fn id(text: &str) -> Option<String> {
    let id = Some(text).filter(|text| text.len() == 36)?;
    uuid::Uuid::try_parse(id).ok().map(|id| id.to_string())
}

/// The id that a list is narrowed by.
pub(crate) fn wanted_id(text: &str) -> Result<String> {
    id(text).ok_or_else(|| Error::Invalid(format!("found id {:?}, expected a UUID", short(text))))
}

/// Milliseconds since 1970, now.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// The day of UTC that a time is in.
pub(crate) fn day_of(millis: i64) -> Result<Date> {
    let time = Timestamp::from_millisecond(millis)
        .map_err(|_| Error::Invalid(format!("found time {millis}, expected milliseconds since 1970")))?;
    Ok(time.to_zoned(TimeZone::UTC).date())
}

/// Today, in UTC.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// A time as RFC 3339, in UTC.
pub(crate) fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// Milliseconds since 1970 of a time in RFC 3339.
pub(crate) fn parse_time(text: &str) -> Result<i64> {
    let wrong = || Error::Invalid(format!("found time {:?}, expected one such as 2026-01-31T12:00:00Z", short(text)));
    text.parse::<Timestamp>().map(Timestamp::as_millisecond).map_err(|_| wrong())
}

/// A day from outside.
pub(crate) fn parse_day(text: &str) -> Result<Date> {
    let wrong = || Error::Invalid(format!("found day {:?}, expected one such as 2026-01-31", short(text)));
    // The library also takes times and zones; a day has ten characters.
    if text.len() != 10 {
        return Err(wrong());
    }
    text.parse::<Date>().map_err(|_| wrong())
}

/// A day from the database.
pub(crate) fn kept_day(text: &str) -> Result<Date> {
    text.parse::<Date>()
        .map_err(|_| Error::Broken(format!("found day {text:?} in the database, expected one such as 2026-01-31")))
}

/// A name for people to read, which must not be empty.
pub(crate) fn name(text: &str, what: &str) -> Result<String> {
    let name = text.trim();
    let length = name.chars().count();
    if length == 0 || length > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(Error::Invalid(format!(
            "found a {what} of {length} characters, expected 1 to {LONGEST_NAME} and no control characters"
        )));
    }
    Ok(name.to_owned())
}

/// An e-mail address.
pub(crate) fn email(text: &str) -> Result<String> {
    let email = text.trim();
    let bad = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '<' | '>' | ',' | ';' | '"' | '\\' | '(' | ')');
    let is_domain = |domain: &str| {
        let labels = domain.split('.');
        let mut all = labels.map(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'));
        domain.is_ascii() && all.all(|fine| fine)
    };
    let fine = email.rsplit_once('@').is_some_and(|(local, domain)| {
        let is_local =
            !local.is_empty() && !local.starts_with('.') && !local.ends_with('.') && !local.contains("..") && !local.contains('@');
        is_local && local.is_ascii() && is_domain(domain)
    });
    if email.len() > LONGEST_ADDRESS || email.contains(bad) || !fine {
        return Err(Error::Invalid(
            "found an e-mail address that is none, expected one such as ada@example.org".to_owned(),
        ));
    }
    Ok(email.to_owned())
}

/// Codes of plans and names of features: `^[a-z][a-z0-9_-]{0,63}$`.
pub(crate) fn code(text: &str, what: &str) -> Result<String> {
    let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    if text.is_empty() || text.len() > LONGEST_KEY || !text.starts_with(|c: char| c.is_ascii_lowercase()) || !text.chars().all(known) {
        return Err(Error::Invalid(format!(
            "found {what} {:?}, expected 1 to {LONGEST_KEY} lower-case letters, digits, - and _, beginning with a letter",
            short(text)
        )));
    }
    Ok(text.to_owned())
}

/// Keys that senders choose and tokens of providers: `^[A-Za-z0-9._:-]{1,64}$`. The text is not repeated: it may be a secret.
pub(crate) fn key(text: &str, what: &str) -> Result<String> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '-');
    if text.is_empty() || text.len() > LONGEST_KEY || !text.chars().all(known) {
        return Err(Error::Invalid(format!(
            "found a {what} of {} bytes, expected 1 to {LONGEST_KEY} letters, digits, '.', '_', ':' and '-'",
            text.len()
        )));
    }
    Ok(text.to_owned())
}

/// Subject of an account: `^(user|service):[A-Za-z0-9._-]{1,64}$`.
pub(crate) fn subject(text: &str) -> Result<String> {
    let id = text.strip_prefix("user:").or_else(|| text.strip_prefix("service:"));
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    match id {
        Some(id) if !id.is_empty() && id.len() <= LONGEST_KEY && id.chars().all(known) => Ok(text.to_owned()),
        _ => Err(Error::Invalid(format!(
            "found owner {:?}, expected user:ID or service:ID",
            short(text)
        ))),
    }
}

/// An amount from outside.
pub(crate) fn amount(minor: i64, least: i64, what: &str) -> Result<i64> {
    let most = crate::domain::money::MOST;
    if (least..=most).contains(&minor) {
        return Ok(minor);
    }
    Err(Error::Invalid(format!(
        "found {what} {minor}, expected {least} to {most} in the smallest unit of the currency"
    )))
}

/// The beginning of a text that may be long.
fn short(text: &str) -> String {
    text.chars().take(80).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_is_no_name_key_or_address_is_refused() {
        assert_eq!(name(" Ada ", "name").unwrap(), "Ada");
        assert_eq!(email(" ada@example.org ").unwrap(), "ada@example.org");
        assert_eq!(subject("user:0197-a").unwrap(), "user:0197-a");
        for bad in ["", " ", "a\nb", &"x".repeat(201)] {
            assert!(name(bad, "name").is_err(), "{bad:?}");
        }
        for bad in [
            "",
            "ada",
            "@b.c",
            "a@",
            "a b@c.d",
            "a@b..c",
            "a@-b.c",
            "A <a@b.c>",
            "a@b@c",
            ".a@b.c",
            "ä@b.c",
        ] {
            assert!(email(bad).is_err(), "{bad:?}");
        }
        for bad in ["", "Ab", "1a", "a b", &"a".repeat(65)] {
            assert!(code(bad, "code").is_err(), "{bad:?}");
        }
        for bad in ["", "a b", "ä", &"a".repeat(65)] {
            assert!(key(bad, "key").is_err(), "{bad:?}");
        }
        for bad in ["", "ada", "user:", "module:blog", "user:a b"] {
            assert!(subject(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn days_and_times_have_one_form() {
        assert_eq!(parse_day("2026-01-31").unwrap().to_string(), "2026-01-31");
        for bad in ["2026-02-30", "20260131", "2026-01-31T00:00:00Z", "tomorrow", ""] {
            assert!(parse_day(bad).is_err(), "{bad}");
        }
        assert_eq!(parse_time("1970-01-01T00:00:01.5Z").unwrap(), 1500);
        assert!(parse_time("1970-01-01").is_err());
        assert_eq!(
            (time(1500).as_str(), day_of(86_400_000).unwrap().to_string().as_str()),
            ("1970-01-01T00:00:01.5Z", "1970-01-02")
        );
        assert_eq!(
            id("0197A0DE-0000-7000-8000-000000000000").as_deref(),
            Some("0197a0de-0000-7000-8000-000000000000")
        );
        for other in [
            "17",
            "",
            "0197a0de000070008000000000000000",
            "{0197a0de-0000-7000-8000-000000000000}",
        ] {
            assert_eq!(id(other), None, "{other}");
        }
    }
}
