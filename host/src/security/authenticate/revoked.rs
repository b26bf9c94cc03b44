//! What was revoked before its time.

use std::collections::HashMap;

use crate::security::principal::Principal;

/// One thing that was revoked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// A session, by `sid`.
    Session(Until),
    /// Tokens of a subject such as `user:01J...` that were issued before a time, in milliseconds since 1970.
    Subject(Until, i64),
    /// One token, by `jti`.
    Token(Until),
    /// An API key, by id.
    ApiKey(Until),
}

/// What, and when it may be forgotten, in seconds since 1970: everything it is about has expired then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Until {
    /// Its id or subject.
    pub id: String,
    /// Never, if it is not said.
    pub forget: Option<i64>,
}

/// Everything that was revoked and has not expired.
#[derive(Debug, Default)]
pub struct Revoked {
    sessions: HashMap<String, i64>,
    /// Issued before, and when to forget.
    subjects: HashMap<String, (i64, i64)>,
    tokens: HashMap<String, i64>,
    api_keys: HashMap<String, i64>,
}

impl Revocation {
    /// When it may be forgotten is `forget`; without one it is kept.
    #[must_use]
    pub fn until(id: &str, forget: Option<i64>) -> Until {
        Until { id: id.to_owned(), forget }
    }
}

impl Revoked {
    /// Takes all there is, or what came. Whether anything changed.
    pub(super) fn take(&mut self, snapshot: bool, revocations: impl IntoIterator<Item = Revocation>, now: i64) -> bool {
        let mut changed = snapshot;
        if snapshot {
            *self = Self::default();
        }
        for revocation in revocations {
            changed = true;
            let keep = |until: &Until| until.forget.unwrap_or(i64::MAX);
            match revocation {
                Revocation::Session(until) => drop(self.sessions.insert(until.id.clone(), keep(&until))),
                Revocation::Token(until) => drop(self.tokens.insert(until.id.clone(), keep(&until))),
                Revocation::ApiKey(until) => drop(self.api_keys.insert(until.id.clone(), keep(&until))),
                Revocation::Subject(until, before) => {
                    let kept = self.subjects.entry(until.id.clone()).or_insert((before, keep(&until)));
                    *kept = (kept.0.max(before), kept.1.max(keep(&until)));
                }
            }
        }
        if changed {
            self.sessions.retain(|_, forget| *forget > now);
            self.tokens.retain(|_, forget| *forget > now);
            self.api_keys.retain(|_, forget| *forget > now);
            self.subjects.retain(|_, (_, forget)| *forget > now);
        }
        changed
    }

    /// Whether a token of this principal, with this `jti`, issued at this millisecond, was revoked.
    pub(super) fn token(&self, who: &Principal, id: &str, issued: i64) -> bool {
        let session = who.identity().and_then(|identity| identity.session.as_deref());
        session.is_some_and(|session| self.sessions.contains_key(session))
            || self.tokens.contains_key(id)
            || self.subjects.get(who.subject()).is_some_and(|(before, _)| issued < *before)
    }

    pub(super) fn api_key(&self, id: &str) -> bool {
        self.api_keys.contains_key(id)
    }

    pub(super) fn subject(&self, subject: &str) -> bool {
        self.subjects.contains_key(subject)
    }
}
