//! Times and ids: milliseconds since 1970 inside, RFC 3339 in UTC outside.

use jiff::Timestamp;

/// Now.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_millisecond()
}

/// A new id: a UUID whose beginning is the time.
pub(crate) fn id() -> String {
    uuid::Uuid::now_v7().to_string()
}

/// As people and programs outside see it.
pub(crate) fn text(millis: i64) -> String {
    Timestamp::from_millisecond(millis).unwrap_or(Timestamp::UNIX_EPOCH).to_string()
}

/// A time that came from outside.
pub(crate) fn read(text: &str) -> Option<i64> {
    text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// The form of gRPC.
pub(crate) fn proto(millis: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: i32::try_from(millis.rem_euclid(1000)).unwrap_or(0) * 1_000_000,
    }
}

/// And back.
pub(crate) fn from_proto(time: &prost_types::Timestamp) -> Option<i64> {
    time.seconds.checked_mul(1000)?.checked_add(i64::from(time.nanos / 1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_and_read_back() {
        assert_eq!(text(1_700_000_000_123), "2023-11-14T22:13:20.123Z");
        assert_eq!(read("2023-11-14T23:13:20.123+01:00"), Some(1_700_000_000_123));
        assert_eq!((read("yesterday"), text(i64::MAX)), (None, "1970-01-01T00:00:00Z".to_owned()));
        assert_eq!(from_proto(&proto(1_700_000_000_123)), Some(1_700_000_000_123));
        assert_eq!(proto(-1).nanos, 999_000_000);
    }
}
