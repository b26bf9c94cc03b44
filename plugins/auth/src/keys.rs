//! Keys that access tokens are signed with: made, published, used, superseded, forgotten.
//!
//! A key is published before it signs, so that whoever verifies has it in time, and stays published until the last token it
//! signed has expired. Private keys are at rest only sealed.

use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, TransactionTrait};
use serde::Serialize;
use wharf_proto::auth::v1::{Key, KeySet};
use wharf_sdk::services::database::Tx;
use zeroize::Zeroizing;

use crate::config::{SigningAlgorithm, millis};
use crate::failure::Failure;
use crate::secret::{Seal, random};
use crate::tables::{epoch, signing_key};
use crate::{Inner, new_id, now_ms};

/// RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS #8.
const ED25519_HEAD: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
/// RFC 5915 and 5208: what stands before the 32 bytes of a P-256 key in PKCS #8.
const P256_HEAD: [u8; 35] = [
    0x30, 0x41, 0x02, 0x01, 0x00, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x04, 0x27, 0x30, 0x25, 0x02, 0x01, 0x01, 0x04, 0x20,
];

/// All keys that are published.
#[derive(Clone, Default)]
pub(crate) struct Keys {
    pub(crate) epoch: u64,
    keys: Vec<HeldKey>,
}

/// One key, ready to use.
#[derive(Clone)]
pub(crate) struct HeldKey {
    id: String,
    pub(crate) algorithm: Algorithm,
    jwk: Jwk,
    pub(crate) public: DecodingKey,
    /// None when it was sealed with a key that is gone: it verifies, and signs no more.
    private: Option<EncodingKey>,
    active_from: i64,
}

impl SigningAlgorithm {
    /// As in JWTs.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::EdDSA => "EdDSA",
            Self::ES256 => "ES256",
        }
    }

    fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "EdDSA" => Ok(Self::EdDSA),
            "ES256" => Ok(Self::ES256),
            _ => Err(Failure::internal(format!("found a key for {name:?}, expected EdDSA or ES256"))),
        }
    }

    fn algorithm(self) -> Algorithm {
        match self {
            Self::EdDSA => Algorithm::EdDSA,
            Self::ES256 => Algorithm::ES256,
        }
    }

    fn encoding_key(self, pkcs8: &[u8]) -> EncodingKey {
        match self {
            Self::EdDSA => EncodingKey::from_ed_der(pkcs8),
            Self::ES256 => EncodingKey::from_ec_der(pkcs8),
        }
    }

    /// A new private key in PKCS #8 and its public part.
    fn generate(self) -> Result<(Zeroizing<Vec<u8>>, Jwk), Failure> {
        let head: &[u8] = match self {
            Self::EdDSA => &ED25519_HEAD,
            Self::ES256 => &P256_HEAD,
        };
        let mut pkcs8 = Zeroizing::new(Vec::with_capacity(head.len() + 32));
        pkcs8.extend_from_slice(head);
        pkcs8.extend_from_slice(&*random()?);
        // Not every 32 bytes are a key of P-256: one in 2^32 draws is refused here, and the next run of the job draws again.
        let public = Jwk::from_encoding_key(&self.encoding_key(&pkcs8), self.algorithm())?;
        Ok((pkcs8, public))
    }
}

impl Keys {
    /// The key that signs now: the youngest that is in force.
    fn signer(&self, now: i64) -> Option<(&HeldKey, &EncodingKey)> {
        let usable = self.keys.iter().filter_map(|key| Some((key, key.private.as_ref()?)));
        let in_force = usable
            .clone()
            .filter(|(key, _)| key.active_from <= now)
            .max_by_key(|(key, _)| key.active_from);
        in_force.or_else(|| usable.min_by_key(|(key, _)| key.active_from))
    }

    /// The key of this id.
    pub(crate) fn find(&self, id: &str) -> Option<&HeldKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// Signs claims as a JWT of this type.
    pub(crate) fn sign(&self, kind: &str, claims: &impl Serialize) -> Result<String, Failure> {
        let (key, private) = self
            .signer(now_ms())
            .ok_or_else(|| Failure::Unavailable("there is no signing key yet: try again later".to_owned()))?;
        let mut header = Header::new(key.algorithm);
        header.typ = Some(kind.to_owned());
        header.kid = Some(key.id.clone());
        Ok(jsonwebtoken::encode(&header, claims, private)?)
    }

    /// RFC 7517.
    pub(crate) fn jwks(&self) -> serde_json::Value {
        let keys: Vec<_> = self.keys.iter().map(|key| &key.jwk).collect();
        serde_json::json!({ "keys": keys })
    }

    /// What hosts are told.
    pub(crate) fn key_set(&self, issuer: String, audience: String) -> KeySet {
        let keys = self.keys.iter().map(|key| Key {
            id: key.id.clone(),
            algorithm: format!("{:?}", key.algorithm),
            jwk: serde_json::to_string(&key.jwk).unwrap_or_default(),
        });
        KeySet {
            epoch: self.epoch,
            issuer,
            audience,
            keys: keys.collect(),
        }
    }
}

impl Inner {
    /// All keys as they are in the table.
    pub(crate) async fn load_keys(&self, epoch: u64) -> Result<Keys, Failure> {
        let rows = signing_key::Entity::find()
            .order_by_asc(signing_key::Column::ActiveFrom)
            .all(&self.db)
            .await?;
        let now = now_ms();
        let alive = rows.iter().filter(|row| row.retire_at.is_none_or(|at| at > now));
        let keys = alive.map(|row| HeldKey::open(&self.seal, row)).collect::<Result<_, _>>()?;
        Ok(Keys { epoch, keys })
    }

    /// Makes the first key, or the next one when it is time to publish it, and forgets those whose last token has expired. Any
    /// number of nodes may do this at once.
    pub(crate) async fn tend_keys(&self) -> Result<(), Failure> {
        let tx = self.db.begin().await?;
        lock(&tx, KEYS).await?;
        let now = now_ms();
        let rows = signing_key::Entity::find()
            .order_by_asc(signing_key::Column::ActiveFrom)
            .all(&tx)
            .await?;
        let newest = rows.iter().rev().find(|row| open(&self.seal, row).is_some());
        let mut changed = self.make_due(&tx, newest, now).await?;
        let gone = signing_key::Entity::delete_many()
            .filter(signing_key::Column::RetireAt.lte(now))
            .exec(&tx)
            .await?;
        changed |= gone.rows_affected > 0;
        if changed {
            raise(&tx, KEYS).await?;
            tx.commit().await?;
            return self.look().await;
        }
        tx.rollback().await?;
        Ok(())
    }

    async fn make_due(&self, tx: &Tx, newest: Option<&signing_key::Model>, now: i64) -> Result<bool, Failure> {
        let published_before = millis(self.config.key_published_before_seconds);
        let active_from = match newest {
            None => now,
            Some(newest) => {
                let ends = newest.active_from.saturating_add(millis(self.config.key_seconds));
                if newest.active_from > now || ends - published_before > now {
                    return Ok(false);
                }
                ends.max(now + published_before)
            }
        };
        let made = self.make_key(tx, now, active_from).await?;
        // Whatever else there is signs no more from then on.
        let retire_at = active_from + self.config.token_life_ms();
        signing_key::Entity::update_many()
            .col_expr(signing_key::Column::RetireAt, Expr::value(retire_at))
            .filter(signing_key::Column::RetireAt.is_null())
            .filter(signing_key::Column::Id.ne(made))
            .exec(tx)
            .await?;
        Ok(true)
    }

    async fn make_key(&self, tx: &Tx, now: i64, active_from: i64) -> Result<String, Failure> {
        let (id, algorithm) = (new_id(), self.config.algorithm);
        let (pkcs8, mut public) = algorithm.generate()?;
        public.common.key_id = Some(id.clone());
        public.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        let row = signing_key::ActiveModel {
            id: Set(id.clone()),
            algorithm: Set(algorithm.name().to_owned()),
            jwk: Set(serde_json::to_string(&public).map_err(Failure::internal)?),
            sealed: Set(self.seal.seal(&purpose(&id), &pkcs8)?),
            made_at: Set(now),
            active_from: Set(active_from),
            retire_at: Set(None),
        };
        signing_key::Entity::insert(row).exec_without_returning(tx).await?;
        tracing::info!(
            key.id = id,
            key.algorithm = algorithm.name(),
            key.active_from_ms = active_from,
            "a signing key was made"
        );
        Ok(id)
    }
}

impl HeldKey {
    fn open(seal: &Seal, row: &signing_key::Model) -> Result<Self, Failure> {
        let algorithm = SigningAlgorithm::parse(&row.algorithm)?;
        let jwk: Jwk = serde_json::from_str(&row.jwk).map_err(Failure::internal)?;
        Ok(Self {
            id: row.id.clone(),
            algorithm: algorithm.algorithm(),
            public: DecodingKey::from_jwk(&jwk)?,
            jwk,
            private: open(seal, row).map(|pkcs8| algorithm.encoding_key(&pkcs8)),
            active_from: row.active_from,
        })
    }
}

/// Name of the number that grows with the keys.
pub(crate) const KEYS: &str = "keys";

/// Whoever else changes what is counted under this name waits until this transaction ends.
async fn lock(tx: &Tx, name: &str) -> Result<(), Failure> {
    epoch::Entity::update_many()
        .col_expr(epoch::Column::Value, Expr::col(epoch::Column::Value))
        .filter(epoch::Column::Name.eq(name))
        .exec(tx)
        .await?;
    Ok(())
}

/// Raises a number, and gives its new value. Others who raise it wait until this transaction ends, so that values become visible
/// in their order.
pub(crate) async fn raise(tx: &Tx, name: &str) -> Result<i64, Failure> {
    use sea_orm::ExprTrait as _;
    epoch::Entity::update_many()
        .col_expr(epoch::Column::Value, Expr::col(epoch::Column::Value).add(1))
        .filter(epoch::Column::Name.eq(name))
        .exec(tx)
        .await?;
    read(tx, name).await
}

async fn read(conn: &impl ConnectionTrait, name: &str) -> Result<i64, Failure> {
    let row = epoch::Entity::find_by_id(name).one(conn).await?;
    row.map(|row| row.value)
        .ok_or_else(|| Failure::internal(format!("found no epoch {name:?}: the tables were changed by hand")))
}

fn open(seal: &Seal, row: &signing_key::Model) -> Option<Zeroizing<Vec<u8>>> {
    seal.open(&purpose(&row.id), &row.sealed)
}

fn purpose(id: &str) -> String {
    format!("signing key {id}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn generated_keys_sign_what_their_public_part_verifies() {
        for algorithm in [SigningAlgorithm::EdDSA, SigningAlgorithm::ES256] {
            let (pkcs8, public) = algorithm.generate().unwrap();
            let claims = serde_json::json!({ "sub": "1" });
            let token = jsonwebtoken::encode(&Header::new(algorithm.algorithm()), &claims, &algorithm.encoding_key(&pkcs8)).unwrap();
            let mut validation = jsonwebtoken::Validation::new(algorithm.algorithm());
            validation.required_spec_claims.clear();
            validation.validate_exp = false;
            let verified = jsonwebtoken::decode::<serde_json::Value>(&token, &DecodingKey::from_jwk(&public).unwrap(), &validation);
            assert_eq!(verified.unwrap().claims, claims);
            assert!(
                !serde_json::to_string(&public).unwrap().contains("\"d\""),
                "a private part was published"
            );
        }
    }
}
