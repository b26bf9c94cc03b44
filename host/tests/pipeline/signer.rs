//! Signs tokens, right ones and wrong ones.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PublicKeyData};
use serde_json::{Value, json};
use wharf_proto::auth::v1::Key;

pub const ISSUER: &str = "https://wharf.test";
pub const AUDIENCE: &str = "wharf";

/// A key pair with its id.
pub struct Signer {
    pub id: String,
    pub algorithm: Algorithm,
    key: EncodingKey,
    public: Vec<u8>,
}

impl Signer {
    pub fn ed25519(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::EdDSA,
            key: EncodingKey::from_ed_der(&pair.serialize_der()),
            public: pair.der_bytes().to_vec(),
        }
    }

    pub fn p256(id: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        Self {
            id: id.to_owned(),
            algorithm: Algorithm::ES256,
            key: EncodingKey::from_ec_der(&pair.serialize_der()),
            public: pair.der_bytes().to_vec(),
        }
    }

    pub fn published(&self) -> Key {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (algorithm, jwk) = match self.algorithm {
            Algorithm::EdDSA => ("EdDSA", json!({"kty": "OKP", "crv": "Ed25519", "x": text(&self.public)})),
            _ => {
                let (x, y) = (&self.public[1..33], &self.public[33..65]);
                ("ES256", json!({"kty": "EC", "crv": "P-256", "x": text(x), "y": text(y)}))
            }
        };
        Key {
            id: self.id.clone(),
            algorithm: algorithm.to_owned(),
            jwk: jwk.to_string(),
        }
    }

    /// The bytes of the public key, which whoever confuses algorithms takes for a secret.
    pub fn public(&self) -> &[u8] {
        &self.public
    }

    pub fn header(&self) -> Header {
        let mut header = Header::new(self.algorithm);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(self.id.clone());
        header
    }

    pub fn sign(&self, claims: &Value) -> String {
        self.sign_with(&self.header(), claims)
    }

    pub fn sign_with(&self, header: &Header, claims: &Value) -> String {
        jsonwebtoken::encode(header, claims, &self.key).unwrap()
    }
}

/// Seconds since 1970.
pub fn now() -> i64 {
    jiff::Timestamp::now().as_second()
}

/// Claims of a token that counts, with these in place of its own; null takes one away.
pub fn claims(subject: &str, changes: Value) -> Value {
    let mut claims = json!({
        "iss": ISSUER, "aud": AUDIENCE, "sub": subject, "kind": "user", "tenant": "default", "sid": format!("s-{subject}"),
        "client_id": "cli", "jti": format!("t-{subject}"), "iat": now(), "exp": now() + 300, "name": "Ada", "auth_time": now(),
    });
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

/// A token put together by hand.
pub fn by_hand(header: &Value, claims: &Value, signature: &[u8]) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(header), part(claims), URL_SAFE_NO_PAD.encode(signature))
}
