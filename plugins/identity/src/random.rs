//! Random secrets, their hashes, and comparing them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// 256 random bits, in base64url.
pub(crate) fn secret() -> Result<String> {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|error| Error::Unavailable(format!("the system gives no random bytes: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// What is kept of one: SHA-256 in hexadecimal. That is enough for 256 random bits, which nobody guesses.
pub(crate) fn hash(secret: &str) -> String {
    Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether a secret has this hash, in a time that does not tell how much of it is right.
pub(crate) fn is(secret: &str, kept: &str) -> bool {
    let (found, kept) = (hash(secret), kept.as_bytes());
    found.len() == kept.len() && found.bytes().zip(kept).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// An id that sorts by when it was made.
pub(crate) fn id() -> String {
    uuid::Uuid::now_v7().to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_secret_has_its_own_hash_and_no_other() {
        let (one, other) = (secret().unwrap(), secret().unwrap());
        assert_eq!(one.len(), 43);
        assert_ne!(one, other);
        assert!(is(&one, &hash(&one)));
        assert!(!is(&one, &hash(&other)) && !is(&one, "") && !is("", &hash(&one)));
    }
}
