//! Dates, times and numbers between the values that cross and the types of chrono and `rust_decimal`.

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Offset, Timelike, Utc};
use rust_decimal::Decimal;
use wharf_plugin_api::sql::Value;

use crate::ports::database::{DbError, DbErrorKind};

/// Days from 0001-01-01 to 1970-01-01, and one: chrono counts from there.
const EPOCH: i32 = 719_163;

const NANOS: u64 = 1_000_000_000;

/// 1970-01-01 and so many days.
pub(super) fn date(days: i32) -> Result<NaiveDate, DbError> {
    let date = days.checked_add(EPOCH).and_then(NaiveDate::from_num_days_from_ce_opt);
    date.ok_or_else(|| unknown(format!("the day {days} after 1970-01-01")))
}

/// Midnight and so many nanoseconds.
pub(super) fn time(nanos: u64) -> Result<NaiveTime, DbError> {
    let seconds = u32::try_from(nanos / NANOS).unwrap_or(u32::MAX);
    let rest = u32::try_from(nanos % NANOS).unwrap_or_default();
    NaiveTime::from_num_seconds_from_midnight_opt(seconds, rest).ok_or_else(|| unknown(format!("{nanos} ns after midnight")))
}

/// A day and a time without a zone.
pub(super) fn date_time(seconds: i64, nanos: u32) -> Result<NaiveDateTime, DbError> {
    Ok(utc(seconds, nanos)?.naive_utc())
}

/// A point in time.
pub(super) fn utc(seconds: i64, nanos: u32) -> Result<DateTime<Utc>, DbError> {
    DateTime::from_timestamp(seconds, nanos).ok_or_else(|| unknown(format!("{seconds} s and {nanos} ns after 1970-01-01")))
}

/// A point in time as it was written somewhere.
pub(super) fn zoned(seconds: i64, nanos: u32, offset: i32) -> Result<DateTime<FixedOffset>, DbError> {
    let zone = FixedOffset::east_opt(offset).ok_or_else(|| unknown(format!("an offset of {offset} s")))?;
    Ok(utc(seconds, nanos)?.with_timezone(&zone))
}

/// A decimal number.
pub(super) fn decimal(bytes: [u8; 16]) -> Decimal {
    Decimal::deserialize(bytes)
}

pub(super) fn of_date(date: NaiveDate) -> Value {
    Value::Date(date.num_days_from_ce() - EPOCH)
}

pub(super) fn of_time(time: NaiveTime) -> Value {
    Value::Time(u64::from(time.num_seconds_from_midnight()) * NANOS + u64::from(time.nanosecond()))
}

pub(super) fn of_date_time(at: NaiveDateTime) -> Value {
    Value::DateTime(at.and_utc().timestamp(), at.and_utc().timestamp_subsec_nanos())
}

pub(super) fn of_zoned(at: DateTime<FixedOffset>) -> Value {
    Value::Timestamp(at.timestamp(), at.timestamp_subsec_nanos(), at.offset().fix().local_minus_utc())
}

pub(super) fn of_decimal(number: Decimal) -> Value {
    Value::Decimal(number.serialize())
}

/// What a value is not.
fn unknown(what: String) -> DbError {
    DbError::new(DbErrorKind::Type, format!("{what} is not a date or time that can be stored"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn dates_and_times_come_back_as_they_went() {
        assert_eq!(date(0).unwrap().to_string(), "1970-01-01");
        for days in [-719_162, -1, 0, 1, 20_000] {
            assert_eq!(of_date(date(days).unwrap()), Value::Date(days));
        }
        for nanos in [0, 1, 86_399_999_999_999] {
            assert_eq!(of_time(time(nanos).unwrap()), Value::Time(nanos));
        }
        assert_eq!(of_date_time(date_time(-1, 5).unwrap()), Value::DateTime(-1, 5));
        assert_eq!(
            of_zoned(zoned(1_700_000_000, 7, 19_800).unwrap()),
            Value::Timestamp(1_700_000_000, 7, 19_800)
        );
        assert!(time(86_400_000_000_000).is_err());
        assert!(date(i32::MAX).is_err());
        assert!(zoned(0, 0, 90_000).is_err());
    }
}
