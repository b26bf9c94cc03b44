//! A record in its three forms: as modules write it, as the API has it, and as the canonical JSON that is sealed.

use jiff::Timestamp;
use wharf_proto::audit::v1 as pb;
use wharf_sdk::audit::{Change, Outcome, Record};

use crate::chain::canonical;
use crate::error::{Error, Result};

/// Longest record, in bytes of JSON.
const LONGEST: usize = 256 * 1024;

/// A record that can be sealed.
#[derive(Clone, Debug)]
pub(crate) struct Sealable {
    pub(crate) id: String,
    pub(crate) body: String,
}

/// Checks a record and brings it into the form that is sealed.
pub(crate) fn sealable(record: &Record) -> Result<Sealable> {
    if uuid::Uuid::parse_str(&record.id).is_err() {
        return Err(Error::Invalid(format!("found id {:?}, expected a UUID", record.id)));
    }
    if record.action.is_empty() {
        return Err(Error::Invalid(format!(
            "found no action in record {}, expected what was done",
            record.id
        )));
    }
    micros(&record.at)?;
    let value = serde_json::to_value(record).map_err(|error| Error::Invalid(error.to_string()))?;
    let body = canonical(&value);
    if body.len() > LONGEST {
        return Err(Error::Invalid(format!(
            "found a record of {} bytes, expected at most {LONGEST}",
            body.len()
        )));
    }
    Ok(Sealable {
        id: record.id.clone(),
        body,
    })
}

/// What is sealed, read again.
pub(crate) fn read(body: &str) -> Result<Record> {
    serde_json::from_str(body).map_err(|error| Error::Invalid(format!("a sealed record cannot be read: {error}")))
}

/// RFC 3339 to microseconds since 1970.
pub(crate) fn micros(at: &str) -> Result<i64> {
    let at: Timestamp = at
        .parse()
        .map_err(|_| Error::Invalid(format!("found time {at:?}, expected one by RFC 3339")))?;
    Ok(at.as_microsecond())
}

/// The form that crosses.
pub(crate) fn timestamp(micros: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp {
        seconds: micros.div_euclid(1_000_000),
        nanos: i32::try_from(micros.rem_euclid(1_000_000)).unwrap_or(0) * 1000,
    })
}

/// And back.
pub(crate) fn from_timestamp(at: &prost_types::Timestamp) -> i64 {
    at.seconds.saturating_mul(1_000_000).saturating_add(i64::from(at.nanos) / 1000)
}

/// RFC 3339, in UTC with microseconds.
pub(crate) fn text(micros: i64) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| String::new(), |at| format!("{at:.6}"))
}

pub(crate) fn from_api(entry: pb::Entry) -> Result<Record> {
    let at = entry.at.as_ref().map_or_else(|| Timestamp::now().as_microsecond(), from_timestamp);
    Ok(Record {
        outcome: match entry.outcome() {
            pb::Outcome::Denied => Outcome::Denied,
            pb::Outcome::Failure => Outcome::Failure,
            pb::Outcome::Success | pb::Outcome::Unspecified => Outcome::Success,
        },
        id: entry.id,
        at: text(at),
        tenant: entry.tenant,
        actor: entry.actor,
        action: entry.action,
        object: entry.object,
        reason: entry.reason,
        from: entry.from,
        request_id: entry.request_id,
        recorder: entry.recorder,
        node: entry.node,
        changes: entry
            .changes
            .into_iter()
            .map(|change| Change {
                field: change.field,
                before: change.before,
                after: change.after,
            })
            .collect(),
        count: entry.count,
        session: entry.session,
    })
}

pub(crate) fn to_api(record: Record) -> pb::Entry {
    pb::Entry {
        at: micros(&record.at).ok().and_then(timestamp),
        outcome: record.outcome.number(),
        id: record.id,
        tenant: record.tenant,
        actor: record.actor,
        action: record.action,
        object: record.object,
        reason: record.reason,
        from: record.from,
        request_id: record.request_id,
        recorder: record.recorder,
        node: record.node,
        changes: record
            .changes
            .into_iter()
            .map(|change| pb::Change {
                field: change.field,
                before: change.before,
                after: change.after,
            })
            .collect(),
        count: record.count,
        session: record.session,
    }
}
