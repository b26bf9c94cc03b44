//! What is kept in a queue.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Header of an item: W3C trace context of whoever put it.
pub const TRACEPARENT: &str = "traceparent";

/// What sort of work. One lane works on one name of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Kind(pub &'static str);

impl Kind {
    /// Delivery of an event; the name is the subscription.
    pub const EVENT: Self = Self("event");
    /// Run of a job; the name is the job.
    pub const JOB: Self = Self("job");
    /// Mail to be sent; the name is up to the notifier.
    pub const MAIL: Self = Self("mail");
}

/// Something to be put into a queue.
#[derive(Clone, Debug)]
pub struct NewItem {
    /// Unique in the space; a new UUID v7 unless the caller has one.
    pub id: String,
    /// Subscription, job or the like.
    pub name: String,
    /// Items of one kind, name and key are worked on in the order in which they were put; without one, in any order.
    pub key: Option<String>,
    /// While another item of this kind and name with the same text here is kept, this one is not put.
    pub dedup: Option<String>,
    /// What the work is about.
    pub payload: Vec<u8>,
    /// What there is to say beside it.
    pub headers: BTreeMap<String, String>,
    /// Not before; at once without.
    pub due: Option<Timestamp>,
    /// Tries before it is buried; at least 1.
    pub max_attempts: u32,
}

impl NewItem {
    /// Due at once, ten tries, no order.
    #[must_use]
    pub fn new(name: impl Into<String>, payload: Vec<u8>) -> Self {
        Self {
            id: Uuid::now_v7().to_string(),
            name: name.into(),
            key: None,
            dedup: None,
            payload,
            headers: BTreeMap::new(),
            due: None,
            max_attempts: 10,
        }
    }
}

/// Where an item is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// To be worked on when it is due.
    Waiting,
    /// Somebody works on it.
    Leased,
    /// It failed too often, and waits for an operator.
    Dead,
    /// It is done, and kept to be looked at.
    Done,
}

impl State {
    /// As in the table.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Leased => "leased",
            Self::Dead => "dead",
            Self::Done => "done",
        }
    }

    pub(super) fn read(text: &str) -> Self {
        match text {
            "leased" => Self::Leased,
            "dead" => Self::Dead,
            "done" => Self::Done,
            _ => Self::Waiting,
        }
    }
}

/// One try that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attempt {
    /// Which, counted from 1.
    pub attempt: u32,
    /// When it failed.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// On which node.
    pub node: String,
    /// What happened, and its causes, outermost first.
    pub error: Vec<String>,
}

/// An item as it is kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Item {
    /// Its place in the order in which items were put.
    pub seq: i64,
    /// As in [`NewItem::id`].
    pub id: String,
    /// As in [`Kind`].
    pub kind: String,
    /// As in [`NewItem::name`].
    pub name: String,
    /// As in [`NewItem::key`].
    pub key: Option<String>,
    /// As in [`NewItem::payload`].
    #[serde(skip)]
    pub payload: Vec<u8>,
    /// As in [`NewItem::headers`].
    pub headers: BTreeMap<String, String>,
    /// Where it is in its life.
    pub state: State,
    /// When it is due, milliseconds since the epoch.
    pub due_ms: i64,
    /// Tries so far, with the one under way.
    pub attempts: u32,
    /// As in [`NewItem::max_attempts`].
    pub max_attempts: u32,
    /// Who works on it, and under which lease; empty when nobody does.
    pub lease: String,
    /// When it was put, milliseconds since the epoch.
    pub created_ms: i64,
    /// The tries that failed; the oldest go after twenty.
    pub errors: Vec<Attempt>,
}

/// What became of an item that was worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done: the lane deletes or keeps it.
    Done,
    /// Done, and ended by the work itself, in a transaction of its own.
    Ended,
    /// It failed, with its causes: again later, or buried after the last try.
    Failed(Vec<String>),
    /// It cannot succeed, with its causes: buried at once.
    Hopeless(Vec<String>),
    /// It was not tried: back as it was.
    NotTried,
}
