//! Rows as JSON objects, with the values that serde makes of an entity's fields.
//!
//! sea-orm's own `into_json` is right for numbers and text only: from a row of its proxy it gives dates as SQL writes them, in
//! quotes, and panics at bytes that are no UTF-8.

use chrono::SecondsFormat;
use sea_orm::sea_query::sea_value_to_json_value;
use sea_orm::{JsonValue, ProxyRow, Value as Sea};

/// A row: the names of its columns and what they hold.
pub(super) fn object(row: ProxyRow) -> JsonValue {
    row.values.iter().map(|(name, value)| (name.clone(), json(value))).collect()
}

fn json(value: &Sea) -> JsonValue {
    match value {
        Sea::Bytes(Some(bytes)) => bytes.as_slice().into(),
        Sea::ChronoDate(Some(date)) => format!("{date:?}").into(),
        Sea::ChronoTime(Some(time)) => format!("{time:?}").into(),
        Sea::ChronoDateTime(Some(at)) => format!("{at:?}").into(),
        Sea::ChronoDateTimeUtc(Some(at)) => at.to_rfc3339_opts(SecondsFormat::AutoSi, true).into(),
        Sea::ChronoDateTimeLocal(Some(at)) => at.to_rfc3339().into(),
        Sea::ChronoDateTimeWithTimeZone(Some(at)) => at.to_rfc3339().into(),
        Sea::Uuid(Some(uuid)) => uuid.to_string().into(),
        Sea::Decimal(Some(decimal)) => decimal.to_string().into(),
        Sea::Array(_, Some(values)) => values.iter().map(json).collect(),
        // Nothing, or a value that looks the same everywhere.
        other => sea_value_to_json_value(other),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::prelude::{Date, DateTimeUtc, DateTimeWithTimeZone, Decimal, Time, Uuid};
    use sea_orm::sea_query::ArrayType;
    use serde::Serialize;
    use serde_json::json;

    use super::*;

    /// What serde makes of the type of a field is what a row shows.
    fn same<T: Serialize + Into<Sea>>(value: T) {
        let wanted = serde_json::to_value(&value).unwrap_or_default();
        assert!(!wanted.is_null());
        assert_eq!(json(&value.into()), wanted);
    }

    #[test]
    fn values_are_written_as_serde_writes_them() {
        let clock = Time::from_hms_micro_opt(23, 59, 58, 123_456).unwrap_or_default();
        let day = Date::from_ymd_opt(2024, 2, 29).unwrap_or_default();
        same(vec![0_u8, 1, 255]);
        same(day);
        same(clock);
        same(day.and_time(clock));
        same(day.and_time(clock).and_utc());
        same(DateTimeUtc::UNIX_EPOCH);
        same(DateTimeWithTimeZone::parse_from_rfc3339("2024-02-29T23:59:58.123456+02:00").unwrap_or_default());
        same(Uuid::from_u128(0x1234));
        same(Decimal::new(12_345, 2));
        same("it's \"text\"".to_owned());
        same(i64::MAX);
        same(0.1 + 0.2);
        same(json!({ "deep": [1, null] }));
    }

    #[test]
    fn nothing_is_null_and_arrays_hold_what_they_hold() {
        assert_eq!(json(&Sea::Bytes(None)), JsonValue::Null);
        assert_eq!(json(&Sea::ChronoDateTimeUtc(None)), JsonValue::Null);
        let days = [Date::from_ymd_opt(2024, 2, 29), None].map(Sea::ChronoDate);
        let array = Sea::Array(ArrayType::ChronoDate, Some(Box::new(days.to_vec())));
        assert_eq!(json(&array), json!(["2024-02-29", null]));
    }
}
