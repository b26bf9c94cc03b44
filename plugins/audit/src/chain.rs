//! Hashes and signatures: what ties entries together, and what is signed. No I/O.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A sealed entry, as it is kept and exported.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its chain.
    pub chain: String,
    /// Counted from 1.
    pub seq: u64,
    /// Hash of the entry before, in hexadecimal; for the first one, [`first`] of the chain.
    pub prev: String,
    /// SHA-256 over `prev` (32 bytes) and `body`, in hexadecimal.
    pub hash: String,
    /// Canonical JSON of the entry.
    pub body: String,
}

/// The signed state of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The chain.
    pub chain: String,
    /// Last entry it covers.
    #[serde(deserialize_with = "number")]
    pub seq: u64,
    /// Entries it covers.
    #[serde(deserialize_with = "number")]
    pub count: u64,
    /// Hash of that entry, in hexadecimal.
    pub hash: String,
    /// When it was signed, RFC 3339.
    pub at: String,
    /// Public key, in hexadecimal.
    pub key: String,
    /// Ed25519 (RFC 8032), in hexadecimal.
    pub signature: String,
}

/// What the first entry of a chain has as `prev`: no entry can be moved to another chain.
#[must_use]
pub fn first(chain: &str) -> String {
    hex(&Sha256::digest(format!("wharf.audit.v1\n{chain}")))
}

/// The hash of an entry after the one with the hash `prev`. `prev` that is no hexadecimal text gives a hash that nothing has.
#[must_use]
pub fn hash(prev: &str, body: &str) -> String {
    let Some(prev) = from_hex::<32>(prev) else {
        return String::new();
    };
    hex(&Sha256::new().chain_update(prev).chain_update(body).finalize())
}

impl Link {
    /// Whether its hash is that of its content.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.hash.is_empty() && self.hash == hash(&self.prev, &self.body)
    }
}

impl Checkpoint {
    /// Signs it.
    #[must_use]
    pub fn sign(mut self, key: &SigningKey) -> Self {
        self.key = hex(key.verifying_key().as_bytes());
        self.signature = hex(&key.sign(self.text().as_bytes()).to_bytes());
        self
    }

    /// Whether the signature is one of its key. Whose key that is has to be known from elsewhere.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        let key = from_hex::<32>(&self.key).and_then(|key| VerifyingKey::from_bytes(&key).ok());
        let signature = from_hex::<64>(&self.signature).map(|bytes| Signature::from_bytes(&bytes));
        match (key, signature) {
            (Some(key), Some(signature)) => key.verify_strict(self.text().as_bytes(), &signature).is_ok(),
            _ => false,
        }
    }

    /// What is signed: fixed lines, so that nothing can be read in two ways.
    fn text(&self) -> String {
        let Self {
            chain,
            seq,
            count,
            hash,
            at,
            ..
        } = self;
        format!("wharf-audit-checkpoint-v1\nchain={chain}\nseq={seq}\ncount={count}\nhash={hash}\nat={at}\n")
    }
}

/// JSON with the members of each object in the order of their names and no white space, as RFC 8785 writes texts and integers.
#[must_use]
pub fn canonical(value: &serde_json::Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &serde_json::Value) -> serde_json::Value {
    use serde_json::Value;
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
            Value::Object(members.into_iter().map(|(name, value)| (name.clone(), sorted(value))).collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
        other => other.clone(),
    }
}

/// Lower-case hexadecimal text.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

/// proto3 JSON writes 64-bit integers as texts.
fn number<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    use serde::de::Error;
    match serde_json::Value::deserialize(from)? {
        serde_json::Value::Number(number) => number.as_u64(),
        serde_json::Value::String(text) => text.parse().ok(),
        _ => None,
    }
    .ok_or_else(|| D::Error::custom("expected a number"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_every_field() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let signed = Checkpoint {
            chain: "n1".to_owned(),
            seq: 3,
            count: 3,
            hash: first("n1"),
            at: "2026-11-22T20:45:00Z".to_owned(),
            key: String::new(),
            signature: String::new(),
        }
        .sign(&key);
        assert!(signed.is_signed());
        let changes: [fn(&mut Checkpoint); 6] = [
            |c| c.chain.push('x'),
            |c| c.seq += 1,
            |c| c.count += 1,
            |c| c.hash = first("n2"),
            |c| c.at.push('0'),
            |c| c.key = hex(SigningKey::from_bytes(&[8; 32]).verifying_key().as_bytes()),
        ];
        for change in changes {
            let mut other = signed.clone();
            change(&mut other);
            assert!(!other.is_signed(), "{other:?}");
        }
    }

    #[test]
    fn canonical_json_does_not_depend_on_the_order_of_members() {
        let one = serde_json::json!({ "b": [{ "y": 1, "x": "é\n" }], "a": null });
        let other = serde_json::json!({ "a": null, "b": [{ "x": "é\n", "y": 1 }] });
        assert_eq!(canonical(&one), canonical(&other));
        assert_eq!(canonical(&one), "{\"a\":null,\"b\":[{\"x\":\"é\\n\",\"y\":1}]}");
        assert_ne!(first("a"), first("b"));
        assert_eq!(hash("no hash", "{}"), "");
    }
}
