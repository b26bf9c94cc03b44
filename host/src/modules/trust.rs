//! Stage 2: whether a file may be trusted, by its hash or by its signature.
//!
//! A policy is fixed when the host starts and can only be made tighter while it runs: see [`Trust`].

#![allow(
    clippy::result_large_err,
    reason = "a finding is made a few times a load, and never where it costs"
)]

mod envelope;
mod judge;
mod key;

use std::sync::{Arc, Mutex, PoisonError};

pub use crate::domain::trust::{TrustKey, TrustMode, TrustPolicy};
pub use envelope::{Claims, Envelope, MAX_SIGNATURE_FILE, SIGNATURE_SUFFIX};
pub use key::{KeyPair, TrustError, sign_file, signature_path};

/// The policy in force. Once made it can only become tighter.
#[derive(Debug)]
pub struct Trust(Mutex<Arc<TrustPolicy>>);

/// Why another policy was not taken: it would trust something the one in force does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("trust can only be tightened while the host runs: {}; restart the host to loosen it", .0.join(", "))]
pub struct Loosened(pub Vec<String>);

impl Trust {
    /// Starts with a policy.
    #[must_use]
    pub fn new(policy: TrustPolicy) -> Self {
        Self(Mutex::new(Arc::new(policy)))
    }

    /// The policy in force.
    #[must_use]
    pub fn current(&self) -> Arc<TrustPolicy> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts another policy in force, if it trusts nothing that the present one does not.
    ///
    /// # Errors
    /// [`Loosened`], naming everything that would be trusted more; the present policy stays.
    pub fn tighten(&self, next: TrustPolicy) -> Result<(), Loosened> {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let looser = current.loosened_by(&next);
        if !looser.is_empty() {
            return Err(Loosened(looser));
        }
        *current = Arc::new(next);
        Ok(())
    }
}

impl TrustPolicy {
    /// What `next` would trust and this policy does not.
    fn loosened_by(&self, next: &Self) -> Vec<String> {
        let mut looser = Vec::new();
        if next.mode < self.mode {
            looser.push(format!("mode {:?} is looser than {:?}", next.mode, self.mode).to_lowercase());
        }
        for key in &next.keys {
            match self.keys.iter().find(|known| known.id == key.id) {
                None => looser.push(format!("key {:?} is new", key.id)),
                Some(known) if known.allows(key) => {}
                Some(_) => looser.push(format!("key {:?} counts for more than before", key.id)),
            }
        }
        looser.extend(next.hashes.difference(&self.hashes).map(|hash| format!("hash {hash} is new")));
        for (id, least) in &self.min_versions {
            if next.min_versions.get(id).is_none_or(|next| next < least) {
                looser.push(format!("the minimum version {least} of {id:?} is lower or gone"));
            }
        }
        looser
    }
}

impl TrustKey {
    /// Whether `next` counts for nothing that this key does not count for.
    fn allows(&self, next: &Self) -> bool {
        let same_key = self.public == next.public;
        let stays_revoked = next.revoked || !self.revoked;
        let not_earlier = self.not_before.is_none_or(|from| next.not_before.is_some_and(|next| next >= from));
        let not_later = self.expires.is_none_or(|until| next.expires.is_some_and(|next| next <= until));
        same_key && stays_revoked && not_earlier && not_later
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use semver::Version;

    use super::*;

    fn policy() -> TrustPolicy {
        TrustPolicy {
            mode: TrustMode::Hashed,
            keys: vec![TrustKey {
                id: "release".into(),
                public: "AAAA".into(),
                not_before: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                expires: Some("2027-01-01T00:00:00Z".parse().unwrap()),
                revoked: false,
            }],
            hashes: ["aa".to_owned(), "bb".to_owned()].into(),
            min_versions: [("greeter".to_owned(), Version::new(1, 2, 0))].into(),
        }
    }

    #[test]
    fn a_policy_in_force_only_becomes_tighter() {
        type Change = fn(&mut TrustPolicy);
        let tighter: [(&str, Change); 6] = [
            ("the same", |_| {}),
            ("mode", |p| p.mode = TrustMode::Signed),
            ("hash removed", |p| p.hashes.retain(|hash| hash != "aa")),
            ("revoked", |p| p.keys.iter_mut().for_each(|key| key.revoked = true)),
            ("key removed", |p| p.keys.clear()),
            ("minimum", |p| drop(p.min_versions.insert("greeter".into(), Version::new(1, 3, 0)))),
        ];
        for (name, change) in tighter {
            let (trust, mut next) = (Trust::new(policy()), policy());
            change(&mut next);
            assert_eq!(trust.tighten(next.clone()), Ok(()), "{name}");
            assert_eq!(*trust.current(), next, "{name}");
        }
        let looser: [(&str, Change); 8] = [
            ("mode", |p| p.mode = TrustMode::Any),
            ("hash added", |p| p.hashes.extend(["cc".to_owned()])),
            ("key added", |p| {
                p.keys
                    .extend(policy().keys.into_iter().map(|key| TrustKey { id: "other".into(), ..key }))
            }),
            ("key exchanged", |p| p.keys.iter_mut().for_each(|key| key.public = "BBBB".into())),
            ("key for longer", |p| p.keys.iter_mut().for_each(|key| key.expires = None)),
            ("key earlier", |p| p.keys.iter_mut().for_each(|key| key.not_before = None)),
            ("minimum gone", |p| p.min_versions.clear()),
            ("minimum lower", |p| {
                drop(p.min_versions.insert("greeter".into(), Version::new(1, 1, 9)))
            }),
        ];
        for (name, change) in looser {
            let (trust, mut next) = (Trust::new(policy()), policy());
            change(&mut next);
            assert!(trust.tighten(next).is_err(), "{name}");
            assert_eq!(*trust.current(), policy(), "{name}");
        }
    }

    #[test]
    fn a_revoked_key_stays_revoked() {
        let mut revoked = policy();
        revoked.keys.iter_mut().for_each(|key| key.revoked = true);
        assert!(Trust::new(revoked).tighten(policy()).is_err());
    }
}
