//! Judging a file under a policy, in two steps: what is known before it is parsed, and what its manifest adds.

use ed25519_dalek::{Signature, VerifyingKey};
use jiff::{SignedDuration, Timestamp};
use semver::Version;

use super::envelope::{Claims, Envelope};
use super::key::public_key;
use super::{TrustKey, TrustMode, TrustPolicy};
use crate::domain::finding::Finding;
use crate::domain::finding::kind;
use crate::modules::place::hex;

/// How far the clocks of signer and host may be apart.
const CLOCK_SKEW: SignedDuration = SignedDuration::from_mins(5);

impl TrustPolicy {
    /// Judges a file before it is parsed: by its hash, or by the content of its signature file. What a good
    /// signature claims of id and version has to be compared with the manifest afterwards, by [`Self::check_identity`].
    ///
    /// # Errors
    /// Why the file is not trusted.
    pub fn check_file(&self, hash: &[u8; 32], signature: Option<&[u8]>, now: Timestamp) -> Result<Option<Claims>, Finding> {
        match self.mode {
            TrustMode::Any => Ok(None),
            TrustMode::Hashed => {
                let found = hex(hash);
                if self.hashes.contains(&found) {
                    return Ok(None);
                }
                Err(Finding::new(
                    &kind::HASH_UNLISTED,
                    format!("its SHA-256 is {found}, which is not listed"),
                ))
            }
            TrustMode::Signed => {
                let missing = || Finding::new(&kind::SIGNATURE_MISSING, "it has no signature file");
                let envelope = Envelope::parse(signature.ok_or_else(missing)?)
                    .map_err(|error| Finding::new(&kind::SIGNATURE_MALFORMED, format!("the signature file cannot be read: {error}")))?;
                self.check_signature(&envelope, now)?;
                if envelope.claims.hash != *hash {
                    let (signed, found) = (hex(&envelope.claims.hash), hex(hash));
                    let what = format!("the signature is for SHA-256 {signed}, the file has {found}");
                    return Err(Finding::new(&kind::SIGNATURE_OTHER_FILE, what));
                }
                Ok(Some(envelope.claims))
            }
        }
    }

    /// Compares what was signed with what the manifest says, and the version with the lowest that may load.
    #[must_use]
    pub fn check_identity(&self, claims: Option<&Claims>, id: &str, version: &Version) -> Vec<Finding> {
        let mut findings = Vec::new();
        if let Some(claims) = claims
            && (claims.id != id || claims.version != *version)
        {
            let what = format!(
                "the signature is for {} {}, the manifest says {id} {version}",
                claims.id, claims.version
            );
            findings.push(Finding::new(&kind::SIGNATURE_OTHER_MODULE, what));
        }
        if let Some(least) = self.min_versions.get(id)
            && version < least
        {
            findings.push(Finding::new(
                &kind::VERSION_BELOW_MINIMUM,
                format!("found version {version}, expected {least} or later"),
            ));
        }
        findings
    }

    fn check_signature(&self, envelope: &Envelope, now: Timestamp) -> Result<(), Finding> {
        let claims = &envelope.claims;
        let mut named = self.keys.iter().filter(|key| key.id == claims.key);
        let key = named.next().ok_or_else(|| {
            let known: Vec<&str> = self.keys.iter().map(|key| key.id.as_str()).collect();
            Finding::new(
                &kind::KEY_UNKNOWN,
                format!("it is signed with key {:?}, trusted are {known:?}", claims.key),
            )
        })?;
        if named.next().is_some() {
            // One of them may be revoked, and nobody could say which one is meant.
            return Err(Finding::new(
                &kind::KEY_MALFORMED,
                format!("the configuration has two keys named {:?}", key.id),
            ));
        }
        check_key(key, now)?;
        let public: VerifyingKey = public_key(&key.public).map_err(|error| {
            Finding::new(
                &kind::KEY_MALFORMED,
                format!("the public key {:?} in the configuration: {error}", key.id),
            )
        })?;
        public
            .verify_strict(&claims.message(), &Signature::from_bytes(&envelope.signature))
            .map_err(|_| Finding::new(&kind::SIGNATURE_WRONG, format!("the signature does not fit key {:?}", key.id)))?;
        check_time(key, claims.time, now)
    }
}

fn check_key(key: &TrustKey, now: Timestamp) -> Result<(), Finding> {
    if key.revoked {
        return Err(Finding::new(&kind::KEY_REVOKED, format!("key {:?} was revoked", key.id)));
    }
    if let Some(from) = key.not_before.filter(|from| now < *from) {
        return Err(Finding::new(
            &kind::KEY_EARLY,
            format!("key {:?} counts from {from}, it is {now:.0}", key.id),
        ));
    }
    if let Some(until) = key.expires.filter(|until| now >= *until) {
        return Err(Finding::new(
            &kind::KEY_EXPIRED,
            format!("key {:?} expired {until}, it is {now:.0}", key.id),
        ));
    }
    Ok(())
}

fn check_time(key: &TrustKey, signed: Timestamp, now: Timestamp) -> Result<(), Finding> {
    let future = now.saturating_add(CLOCK_SKEW).is_ok_and(|latest| signed > latest);
    let before = key.not_before.is_some_and(|from| signed < from);
    if future || before {
        let what = format!(
            "it was signed {signed}, key {:?} counts from {:?}, it is {now:.0}",
            key.id,
            key.not_before.map(|from| from.to_string())
        );
        return Err(Finding::new(&kind::SIGNATURE_TIME, what));
    }
    Ok(())
}
