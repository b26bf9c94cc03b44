//! Who did what: what a module says, and the record that comes of it.
//!
//! A module says what was done with an [`Entry`]; the core service `audit` hands it to the host, which adds what
//! only it knows and publishes a [`Record`] in the module's transaction. The module `audit` subscribes to it.

mod entry;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use entry::Entry;

/// One thing that was done, or tried: the JSON of `wharf.audit.v1.Entry` with the field names of the `.proto` file, and the data
/// of the event `wharf.audit.recorded.v1`. The host makes it. Empty fields are left out, unknown ones are to be ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Record {
    /// UUID, version 7: the same record twice is one.
    pub id: String,
    /// When, RFC 3339, in UTC with microseconds: `2026-11-22T20:45:00.123456Z`.
    pub at: String,
    /// Tenant it happened in; empty: none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub tenant: String,
    /// `user:ID`, `service:ID`, `module:ID`, `host` or `anonymous`.
    pub actor: String,
    /// What was done: `blog.post.publish`.
    pub action: String,
    /// On what: `post/17`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was denied or failed, for people; never a secret.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Address of the client, without its port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Id of the request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// Module that recorded it.
    pub recorder: String,
    /// Node it ran on.
    pub node: String,
    /// Fields that changed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// How often, for records that stand for several; 0 and 1: once.
    #[serde(skip_serializing_if = "is_zero")]
    pub count: u32,
    /// Session of the actor, if any.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session: String,
}

/// How it ended, in the names of `wharf.audit.v1.Outcome`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// It was done.
    #[default]
    #[serde(rename = "OUTCOME_SUCCESS", alias = "OUTCOME_UNSPECIFIED")]
    Success,
    /// They may not.
    #[serde(rename = "OUTCOME_DENIED")]
    Denied,
    /// It did not work.
    #[serde(rename = "OUTCOME_FAILURE")]
    Failure,
}

/// One field that changed. Values of secret fields are the JSON text `"***"`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// Its name.
    pub field: String,
    /// JSON text of what it was; none: it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// JSON text of what it is; none: it is not there any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// For whoever subscribes to what is recorded. Nobody publishes it but the host.
impl crate::Event for Record {
    const TYPE: &'static str = "wharf.audit.recorded.v1";
}

impl Outcome {
    /// As in `wharf.audit.v1.Outcome`.
    #[must_use]
    pub fn number(self) -> i32 {
        match self {
            Self::Success => 1,
            Self::Denied => 2,
            Self::Failure => 3,
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_record_is_the_json_of_the_proto_message() {
        let json = serde_json::json!({
            "id": "018f", "at": "2026-11-22T20:45:00.123456Z", "actor": "user:ada", "action": "blog.post.publish",
            "outcome": "OUTCOME_DENIED", "recorder": "blog", "node": "n1",
            "changes": [{ "field": "title", "before": "\"a\"", "after": "\"b\"" }], "session": "s1", "added_later": true,
        });
        let record: Record = serde_json::from_value(json).unwrap();
        assert_eq!((record.outcome, record.outcome.number()), (Outcome::Denied, 2));
        let back = serde_json::to_value(&record).unwrap();
        let back = back.as_object().unwrap();
        assert!(!back.contains_key("tenant") && !back.contains_key("count"), "{back:?}");
        assert_eq!(serde_json::from_value::<Record>(back.clone().into()).unwrap(), record);
    }
}
