//! Signatures of webhooks: HMAC-SHA256 over `timestamp.body`, in a header field `t=UNIX_SECONDS,v1=HEX`, as payment providers send it.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How far the clock of a provider may be from ours, either way.
pub(crate) const TOLERANCE_SECONDS: i64 = 300;
/// Signatures in one header field: more than one only while a provider changes its key.
const MOST_SIGNATURES: usize = 4;

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("found no signature, expected a header field such as t=1700000000,v1=HEX")]
    Malformed,
    #[error("the signature is not one of this body and time with our key")]
    Wrong,
    #[error("found a signature of more than {TOLERANCE_SECONDS} seconds from now; send the event again with a new one")]
    Stale,
}

/// Gives the time that was signed.
pub(crate) fn verify(header: &str, key: &[u8], body: &[u8], now_seconds: i64) -> Result<i64, SignatureError> {
    let mut time = None;
    let mut signatures = Vec::new();
    for part in header.split(',') {
        match part.trim().split_once('=') {
            Some(("t", value)) => time = value.parse::<i64>().ok(),
            Some(("v1", value)) if signatures.len() < MOST_SIGNATURES => signatures.extend(bytes_of(value)),
            _ => {}
        }
    }
    let time = time.ok_or(SignatureError::Malformed)?;
    if signatures.is_empty() {
        return Err(SignatureError::Malformed);
    }
    // `verify_slice` takes the same time wherever two signatures differ.
    let is_right = |signature: &Vec<u8>| mac(key, time, body).is_some_and(|mac| mac.verify_slice(signature).is_ok());
    if !signatures.iter().any(is_right) {
        return Err(SignatureError::Wrong);
    }
    if now_seconds.abs_diff(time) > TOLERANCE_SECONDS.unsigned_abs() {
        return Err(SignatureError::Stale);
    }
    Ok(time)
}

/// The header field for a body, as a provider would send it.
#[cfg(test)]
pub(crate) fn header(key: &[u8], time: i64, body: &[u8]) -> String {
    let bytes = mac(key, time, body)
        .map(|mac| mac.finalize().into_bytes().to_vec())
        .unwrap_or_default();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("t={time},v1={hex}")
}

fn mac(key: &[u8], time: i64, body: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).ok()?;
    mac.update(time.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    Some(mac)
}

fn bytes_of(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a key for tests";
    const BODY: &[u8] = br#"{"id":"evt_1"}"#;

    #[test]
    fn a_right_signature_counts_for_five_minutes() {
        let header = header(KEY, 1_000_000, BODY);
        for now in [1_000_000 - 300, 1_000_000, 1_000_000 + 300] {
            assert_eq!(verify(&header, KEY, BODY, now), Ok(1_000_000));
        }
        for now in [1_000_000 - 301, 1_000_000 + 301, i64::MIN, i64::MAX] {
            assert_eq!(verify(&header, KEY, BODY, now), Err(SignatureError::Stale));
        }
    }

    #[test]
    fn another_body_key_or_time_is_wrong() {
        let right = header(KEY, 1_000_000, BODY);
        assert_eq!(verify(&right, KEY, b"{}", 1_000_000), Err(SignatureError::Wrong));
        assert_eq!(verify(&right, b"another", BODY, 1_000_000), Err(SignatureError::Wrong));
        let later = right.replace("t=1000000", "t=1000001");
        assert_eq!(verify(&later, KEY, BODY, 1_000_000), Err(SignatureError::Wrong));
        for none in ["", "t=1", "v1=00", "t=x,v1=00", "t=1,v1=zz", &format!("t=1,v1={}", "ä".repeat(32))] {
            assert_eq!(verify(none, KEY, BODY, 1), Err(SignatureError::Malformed), "{none}");
        }
    }

    #[test]
    fn one_right_signature_of_several_is_enough() {
        let right = header(KEY, 1_000_000, BODY);
        let both = right.replace(",v1=", &format!(",v1={},v1=", "00".repeat(32)));
        assert_eq!(verify(&both, KEY, BODY, 1_000_000), Ok(1_000_000));
    }
}
