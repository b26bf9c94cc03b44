//! The deadlines that callers name.

use std::time::Duration;

/// `grpc-timeout`: one to eight digits and a unit (gRPC over HTTP/2, "Timeout").
#[must_use]
pub fn parse_grpc(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    let amount = number(digits, 8)?;
    Some(match unit {
        b'H' => Duration::from_secs(amount.checked_mul(3600)?),
        b'M' => Duration::from_secs(amount.checked_mul(60)?),
        b'S' => Duration::from_secs(amount),
        b'm' => Duration::from_millis(amount),
        b'u' => Duration::from_micros(amount),
        b'n' => Duration::from_nanos(amount),
        _ => return None,
    })
}

/// `connect-timeout-ms`: one to ten digits (Connect protocol, "Timeout").
#[must_use]
pub fn parse_connect(value: &[u8]) -> Option<Duration> {
    Some(Duration::from_millis(number(value, 10)?))
}

fn number(digits: &[u8], most: usize) -> Option<u64> {
    if digits.is_empty() || digits.len() > most || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocols_say() {
        for (text, expected) in [
            ("1S", Some(Duration::from_secs(1))),
            ("2H", Some(Duration::from_secs(7200))),
            ("3M", Some(Duration::from_secs(180))),
            ("250m", Some(Duration::from_millis(250))),
            ("7u", Some(Duration::from_micros(7))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("123456789S", None),
            ("S", None),
            ("1", None),
            ("-1S", None),
            ("", None),
        ] {
            assert_eq!(parse_grpc(text.as_bytes()), expected, "{text}");
        }
        assert_eq!(parse_connect(b"1500"), Some(Duration::from_millis(1500)));
        assert_eq!(parse_connect(b"1.5"), None);
    }
}
