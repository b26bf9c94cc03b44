//! What counts no more before its time: written in the transaction of whatever ends it, told to every node.

use std::collections::{HashMap, HashSet};

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use wharf_proto::auth::v1::{Revocation, RevocationsUpdate, revocation::What};
use wharf_sdk::services::database::Tx;

use crate::claims::Claims;
use crate::failure::Failure;
use crate::keys::raise;
use crate::tables::revocation;
use crate::{Inner, now_ms};

/// Name of the number that grows with each.
pub(crate) const REVOCATIONS: &str = "revocations";

/// What is revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Revoked {
    /// A session: all its tokens.
    Session(String),
    /// A subject, `user:ID`: every token issued before that time, in milliseconds.
    Subject(String, i64),
    /// One token, and when it expires in milliseconds.
    Token(String, i64),
    /// An API key.
    ApiKey(String),
}

/// All that are in force, oldest first, and what tokens are held against.
#[derive(Clone, Default)]
pub(crate) struct Revocations {
    pub(crate) epoch: i64,
    rows: Vec<revocation::Model>,
    sessions: HashSet<String>,
    tokens: HashSet<String>,
    /// Subjects, and the millisecond before which their tokens count no more.
    subjects: HashMap<String, i64>,
}

impl Revocations {
    /// Whether a token was revoked.
    pub(crate) fn covers(&self, claims: &Claims) -> bool {
        let subject = || format!("{}:{}", claims.kind, claims.sub);
        claims.sid.as_ref().is_some_and(|sid| self.sessions.contains(sid))
            || self.tokens.contains(&claims.jti)
            || (!self.subjects.is_empty() && self.subjects.get(&subject()).is_some_and(|before| claims.issued_ms() < *before))
    }

    /// Everything, for whoever knows nothing yet.
    pub(crate) fn snapshot(&self) -> RevocationsUpdate {
        let now = now_ms();
        self.update(true, self.rows.iter().filter(|row| row.forget > now))
    }

    /// What came after an epoch.
    pub(crate) fn since(&self, epoch: i64) -> RevocationsUpdate {
        let from = self.rows.partition_point(|row| row.epoch <= epoch);
        self.update(false, self.rows.iter().skip(from))
    }

    /// With what was added, and without what is to be forgotten.
    pub(crate) fn with(&self, epoch: i64, added: Vec<revocation::Model>) -> Self {
        let now = now_ms();
        let mut new = Self { epoch, ..Self::default() };
        for row in self.rows.iter().cloned().chain(added).filter(|row| row.forget > now) {
            new.add(row);
        }
        new
    }

    fn add(&mut self, row: revocation::Model) {
        match row.kind.as_str() {
            "session" => drop(self.sessions.insert(row.value.clone())),
            "token" => drop(self.tokens.insert(row.value.clone())),
            "subject" => {
                let before = self.subjects.entry(row.value.clone()).or_default();
                *before = (*before).max(row.before);
            }
            _ => {}
        }
        self.rows.push(row);
    }

    fn update<'a>(&self, snapshot: bool, rows: impl Iterator<Item = &'a revocation::Model>) -> RevocationsUpdate {
        RevocationsUpdate {
            epoch: u64::try_from(self.epoch).unwrap_or_default(),
            snapshot,
            revocations: rows.filter_map(told).collect(),
        }
    }
}

impl Revoked {
    /// Every token a subject has until now, that of this very millisecond too.
    pub(crate) fn subject_now(subject: String) -> Self {
        Self::Subject(subject, now_ms() + 1)
    }
}

impl Inner {
    /// Writes revocations in a transaction. Call [`Inner::look`] once it is committed: this node then knows at once.
    pub(crate) async fn revoke(&self, tx: &Tx, revoked: impl IntoIterator<Item = Revoked>) -> Result<(), Failure> {
        let now = now_ms();
        for what in revoked {
            let epoch = raise(tx, REVOCATIONS).await?;
            let forget = now + self.config.token_life_ms() + 1000;
            let (kind, value, before, forget) = match what {
                Revoked::Session(id) => ("session", id, now, forget),
                Revoked::Subject(subject, before) => ("subject", subject, before, forget),
                Revoked::Token(id, expires) => ("token", id, now, expires + crate::config::LEEWAY_MS),
                Revoked::ApiKey(id) => ("api_key", id, now, forget),
            };
            let row = revocation::ActiveModel {
                epoch: Set(epoch),
                kind: Set(kind.to_owned()),
                value: Set(value),
                before: Set(before),
                forget: Set(forget),
            };
            revocation::Entity::insert(row).exec_without_returning(tx).await?;
        }
        Ok(())
    }

    /// Revocations in force that came after an epoch, oldest first.
    pub(crate) async fn load_revocations(&self, after: i64) -> Result<Vec<revocation::Model>, Failure> {
        let rows = revocation::Entity::find()
            .filter(revocation::Column::Epoch.gt(after))
            .filter(revocation::Column::Forget.gt(now_ms()))
            .order_by_asc(revocation::Column::Epoch)
            .all(&self.db)
            .await?;
        Ok(rows)
    }
}

fn told(row: &revocation::Model) -> Option<Revocation> {
    let value = row.value.clone();
    let what = match row.kind.as_str() {
        "session" => What::Session(value),
        "subject" => What::Subject(value),
        "token" => What::Token(value),
        "api_key" => What::ApiKey(value),
        _ => return None,
    };
    Some(Revocation {
        what: Some(what),
        before: Some(timestamp(row.before)),
        forget: Some(timestamp(row.forget)),
    })
}

/// Milliseconds as protobuf's timestamp.
pub(crate) fn timestamp(millis: i64) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: millis.div_euclid(1000),
        nanos: i32::try_from(millis.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    }
}
