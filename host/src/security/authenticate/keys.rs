//! The keys that access tokens are verified with.

use std::collections::BTreeMap;
use std::fmt;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};

/// Keys, and what every token has to say.
pub struct KeyRing {
    pub(super) issuer: String,
    pub(super) audience: String,
    keys: BTreeMap<String, VerifyKey>,
}

/// One key as its source publishes it.
#[derive(Clone, Debug)]
pub struct PublishedKey {
    /// `kid`.
    pub id: String,
    /// `EdDSA` or `ES256`.
    pub algorithm: String,
    /// The public key as a JWK, in JSON.
    pub jwk: String,
}

/// Why a key cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRingError {
    /// Tokens would be taken from anybody, or for anybody.
    #[error("found an empty issuer or audience, expected what tokens say under `iss` and `aud`")]
    Unnamed,
    /// Not one of the algorithms this host verifies.
    #[error("found algorithm {found:?} of key {key:?}, expected EdDSA or ES256")]
    Algorithm {
        /// `kid`.
        key: String,
        /// What it says.
        found: String,
    },
    /// Not the JWK of a public key of its algorithm.
    #[error("found a JWK of key {key:?} that is no public key for {algorithm}")]
    Jwk {
        /// `kid`.
        key: String,
        /// Its algorithm.
        algorithm: String,
    },
}

/// One key, ready to verify.
pub(super) struct VerifyKey {
    pub(super) algorithm: &'static str,
    pub(super) key: DecodingKey,
    pub(super) validation: Validation,
    /// To tell whether two keys are the same.
    jwk: String,
}

impl KeyRing {
    /// Takes keys as they were published.
    ///
    /// # Errors
    /// [`KeyRingError`] for the first one that cannot be used: none of them counts then.
    pub fn new(issuer: &str, audience: &str, published: &[PublishedKey]) -> Result<Self, KeyRingError> {
        if issuer.is_empty() || audience.is_empty() {
            return Err(KeyRingError::Unnamed);
        }
        let mut keys = BTreeMap::new();
        for one in published {
            keys.insert(one.id.clone(), VerifyKey::new(one, issuer, audience)?);
        }
        Ok(Self {
            issuer: issuer.to_owned(),
            audience: audience.to_owned(),
            keys,
        })
    }

    pub(super) fn get(&self, id: &str) -> Option<&VerifyKey> {
        self.keys.get(id)
    }

    /// Whether this is one of the keys.
    pub(super) fn has(&self, which: &str) -> bool {
        self.keys
            .iter()
            .any(|(id, key)| which.split_once('\n') == Some((id.as_str(), key.jwk.as_str())))
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let parts = |ring: &Self| {
            let keys = ring.keys.iter().map(|(id, key)| (id.clone(), key.algorithm, key.jwk.clone()));
            (ring.issuer.clone(), ring.audience.clone(), keys.collect::<Vec<_>>())
        };
        parts(self) == parts(other)
    }
}

impl VerifyKey {
    fn new(published: &PublishedKey, issuer: &str, audience: &str) -> Result<Self, KeyRingError> {
        let wrong_jwk = || KeyRingError::Jwk {
            key: published.id.clone(),
            algorithm: published.algorithm.clone(),
        };
        let jwk: Jwk = serde_json::from_str(&published.jwk).map_err(|_| wrong_jwk())?;
        let (name, algorithm) = match (published.algorithm.as_str(), &jwk.algorithm) {
            ("EdDSA", AlgorithmParameters::OctetKeyPair(pair)) if pair.curve == EllipticCurve::Ed25519 => ("EdDSA", Algorithm::EdDSA),
            ("ES256", AlgorithmParameters::EllipticCurve(key)) if key.curve == EllipticCurve::P256 => ("ES256", Algorithm::ES256),
            ("EdDSA" | "ES256", _) => return Err(wrong_jwk()),
            (found, _) => {
                return Err(KeyRingError::Algorithm {
                    key: published.id.clone(),
                    found: found.to_owned(),
                });
            }
        };
        let mut validation = Validation::new(algorithm);
        // Times are compared by the clock of this host in `claims`; who signed for whom is checked twice.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        Ok(Self {
            algorithm: name,
            key: DecodingKey::from_jwk(&jwk).map_err(|_| wrong_jwk())?,
            validation,
            jwk: published.jwk.clone(),
        })
    }

    /// Which key this is, also among those that had its id before.
    pub(super) fn which(&self, id: &str) -> String {
        format!("{id}\n{}", self.jwk)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing")
            .field("issuer", &self.issuer)
            .field("audience", &self.audience)
            .field("keys", &self.keys.keys().collect::<Vec<_>>())
            .finish()
    }
}
