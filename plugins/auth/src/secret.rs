//! Random secrets, what is kept of them, and sealing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::failure::Failure;

const NONCE: usize = 24;
/// Characters of an API key after its prefix: 32 bytes in base 62, and a checksum.
const KEY_BODY: usize = 43;
const KEY_CHECK: usize = 6;
const KEY_PREFIX: &str = "wharf_";
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A secret that is shown to its owner and kept here only as a digest.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<String>);

/// A secret that somebody showed. It is overwritten when it is dropped, and has no `Debug`.
#[derive(serde::Deserialize)]
#[serde(from = "String")]
pub(crate) struct Shown(Zeroizing<String>);

/// Seals what is kept with the key of this module.
pub(crate) struct Seal(Zeroizing<[u8; 32]>);

impl Secret {
    /// 256 random bits in base64url.
    pub(crate) fn random() -> Result<Self, Failure> {
        Ok(Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*random()?))))
    }

    /// An API key: `wharf_`, 256 random bits in base 62, and a checksum, so that a scanner or a mistyped key is told without a
    /// look at the table.
    pub(crate) fn api_key() -> Result<Self, Failure> {
        let body = base62(&*random()?);
        let check = checksum(&body);
        Ok(Self(Zeroizing::new(format!("{KEY_PREFIX}{body}{check}"))))
    }

    /// The text, for whoever it is made for.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept.
    pub(crate) fn digest(&self) -> String {
        digest(&self.0)
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::ops::Deref for Shown {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl Seal {
    /// With the key of this module.
    pub(crate) fn new(key: &[u8]) -> Result<Self, Failure> {
        // An operator may have set it: whatever it is, it becomes a key.
        match key.len() {
            0..16 => Err(Failure::internal(format!(
                "found a secret \"module-key\" of {} bytes, expected 16 at least: `wharf secrets delete auth module-key` lets the host make one",
                key.len()
            ))),
            _ => Ok(Self(Zeroizing::new(
                Sha256::new()
                    .chain_update(b"wharf auth seal 1\0")
                    .chain_update(key)
                    .finalize()
                    .into(),
            ))),
        }
    }

    /// Seals for one purpose: it opens for no other.
    pub(crate) fn seal(&self, purpose: &str, plain: &[u8]) -> Result<String, Failure> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| Failure::internal(error.to_string()))?;
        let payload = Payload {
            msg: plain,
            aad: purpose.as_bytes(),
        };
        let sealed = self.cipher().encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Failure::internal("found too much to seal"))?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed for this purpose; none when it was not, or with another key.
    pub(crate) fn open(&self, purpose: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let sealed = STANDARD.decode(sealed).ok()?;
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        let payload = Payload {
            msg: sealed,
            aad: purpose.as_bytes(),
        };
        self.cipher().decrypt(&XNonce::from(*nonce), payload).ok().map(Zeroizing::new)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal")
    }
}

/// 32 random bytes.
pub(crate) fn random() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(|error| Failure::internal(error.to_string()))?;
    Ok(bytes)
}

/// SHA-256 in hexadecimal: what is kept of a secret of 256 random bits. It is looked up, and compared, by this digest.
pub(crate) fn digest(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// PKCE: what the challenge of a verifier is (RFC 7636, S256).
pub(crate) fn challenge_of(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier))
}

/// Whether two digests are the same, in a time that does not depend on where they differ.
pub(crate) fn same(one: &str, other: &str) -> bool {
    one.len() == other.len() && one.bytes().zip(other.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// Whether a text has the form of an API key, with its checksum.
pub(crate) fn looks_like_api_key(text: &str) -> bool {
    let Some(rest) = text.strip_prefix(KEY_PREFIX) else { return false };
    if !rest.is_ascii() || rest.len() != KEY_BODY + KEY_CHECK {
        return false;
    }
    let (body, check) = rest.split_at(KEY_BODY);
    same(&checksum(body), check)
}

/// The first characters of an API key, which tell keys apart and give nothing away.
pub(crate) fn hint_of(key: &Secret) -> String {
    key.reveal().chars().take(KEY_PREFIX.len() + 4).collect()
}

fn checksum(body: &str) -> String {
    let hash = Sha256::new().chain_update(b"wharf api key 1\0").chain_update(body).finalize();
    let all = base62(&hash);
    all.chars().rev().take(KEY_CHECK).collect()
}

/// A number of 256 bits in base 62, most significant digit first, always as long.
fn base62(bytes: &[u8]) -> String {
    let mut number: Vec<u32> = bytes.iter().map(|byte| u32::from(*byte)).collect();
    let mut digits = vec![b'0'; KEY_BODY];
    for digit in digits.iter_mut().rev() {
        let mut rest = 0;
        for part in &mut number {
            let value = rest * 256 + *part;
            *part = value / 62;
            rest = value % 62;
        }
        *digit = BASE62.get(rest as usize).copied().unwrap_or(b'0');
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn api_keys_have_one_form_and_a_checksum_that_tells_a_mistyped_one() {
        let key = Secret::api_key().unwrap();
        let text = key.reveal();
        assert_eq!((text.len(), &text[..6]), (55, "wharf_"));
        assert!(looks_like_api_key(text));
        let last = if text.ends_with('a') { 'b' } else { 'a' };
        for wrong in [
            "",
            "wharf_",
            "sk_live",
            &format!("{}{last}", &text[..54]),
            &text[..54],
            &format!("{text}0"),
            &text.replacen("wharf", "whars", 1),
        ] {
            assert!(!looks_like_api_key(wrong), "{wrong}");
        }
        assert_eq!(base62(&[0; 32]), "0".repeat(43));
        assert_eq!(base62(&[255; 32]).len(), 43);
        assert_ne!(Secret::api_key().unwrap().reveal(), text);
        assert_eq!(format!("{key:?}"), "Secret(***)");
    }

    #[test]
    fn what_is_sealed_opens_for_its_purpose_and_with_its_key_alone() {
        let seal = Seal::new(&[7; 32]).unwrap();
        let sealed = seal.seal("key 1", b"canary").unwrap();
        assert_eq!(*seal.open("key 1", &sealed).unwrap(), b"canary");
        assert!(seal.open("key 2", &sealed).is_none());
        assert!(Seal::new(&[8; 32]).unwrap().open("key 1", &sealed).is_none());
        assert!(seal.open("key 1", "").is_none() && seal.open("key 1", "?").is_none());
        assert!(Seal::new(b"short").is_err());
    }

    #[test]
    fn the_challenge_is_that_of_the_standard() {
        // RFC 7636, appendix B.
        assert_eq!(
            challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
        assert!(same("ab", "ab") && !same("ab", "ac") && !same("ab", "a"));
    }
}
