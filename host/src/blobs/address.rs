//! Addresses that the host signs: who has one may do one thing with one blob until it expires.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::ports::blobs::{Access, Key, hex};

/// Where signed addresses are on the public listener. No module id begins with an underscore.
pub(super) const PATH: &str = "/_wharf/blobs/";

/// Bytes that SHA-256 takes at a time, to which HMAC fills the key up.
const BLOCK: usize = 64;

/// Signs addresses and knows its own.
pub struct AddressSigner {
    base: String,
    key: Zeroizing<[u8; 32]>,
}

/// What an address allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose blob.
    pub module: String,
    /// Which.
    pub key: Key,
    /// What may be done.
    pub access: Access,
}

/// Why an address is not good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// It is none of ours, or was changed, or is for something else.
    Signature,
    /// It was good once.
    Expired,
}

impl AddressSigner {
    /// With a key that all nodes share; `base` is how clients reach the public listener, `https://example.org`.
    #[must_use]
    pub fn new(base: &str, key: [u8; 32]) -> Self {
        Self {
            base: base.trim_end_matches('/').to_owned(),
            key: Zeroizing::new(key),
        }
    }

    /// With a key of its own: its addresses are good in this process.
    #[must_use]
    pub fn with_random_key(base: &str) -> Self {
        let mut key = [0; 32];
        // Without randomness there is no key, and so no address that is good: each is refused.
        let has_key = getrandom::fill(&mut key).is_ok();
        let signer = Self::new(base, key);
        if !has_key {
            tracing::error!("the system gives no random numbers; signed addresses of blobs can be forged until the next start");
        }
        signer
    }

    /// An address that is good for `time`.
    #[must_use]
    pub fn sign(&self, module: &str, key: &Key, access: Access, time: Duration) -> String {
        let expires = now() + time.as_secs();
        let method = method(access);
        let signature = hex(&self.seal(module, key, access, expires));
        let key: String = key
            .as_str()
            .chars()
            .map(|c| if c == '+' { "%2B".to_owned() } else { c.to_string() })
            .collect();
        format!(
            "{}{PATH}{module}/{key}?method={method}&expires={expires}&signature={signature}",
            self.base
        )
    }

    /// What the address of a request allows, by its path after [`PATH`] and its query.
    ///
    /// # Errors
    /// [`Refused`]
    pub fn check(&self, path: &str, query: &str) -> Result<Grant, Refused> {
        let mut expires = None;
        let (mut access, mut signature) = (None, "");
        for pair in query.split('&') {
            match pair.split_once('=') {
                Some(("method", "GET")) => access = Some(Access::Get),
                Some(("method", "PUT")) => access = Some(Access::Put),
                Some(("expires", value)) => expires = value.parse::<u64>().ok(),
                Some(("signature", value)) => signature = value,
                _ => return Err(Refused::Signature),
            }
        }
        let (module, key) = path.split_once('/').ok_or(Refused::Signature)?;
        let key = Key::parse(&key.replace("%2B", "+").replace("%2b", "+").replace("%40", "@")).map_err(|_| Refused::Signature)?;
        let (Some(access), Some(expires)) = (access, expires) else {
            return Err(Refused::Signature);
        };
        let expected = hex(&self.seal(module, &key, access, expires));
        if !is_equal(expected.as_bytes(), signature.as_bytes()) {
            return Err(Refused::Signature);
        }
        if expires < now() {
            return Err(Refused::Expired);
        }
        Ok(Grant {
            module: module.to_owned(),
            key,
            access,
        })
    }

    /// HMAC-SHA-256 of everything an address says. None of the parts can hold a line break.
    fn seal(&self, module: &str, key: &Key, access: Access, expires: u64) -> [u8; 32] {
        let text = format!("wharf-blob-1\n{}\n{module}\n{key}\n{expires}", method(access));
        hmac(&*self.key, text.as_bytes())
    }
}

fn method(access: Access) -> &'static str {
    match access {
        Access::Get => "GET",
        Access::Put => "PUT",
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// RFC 2104 with SHA-256. The key is no longer than a block.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let pad = |with: u8| {
        let mut block = Zeroizing::new([with; BLOCK]);
        block.iter_mut().zip(key).for_each(|(byte, key)| *byte ^= key);
        block
    };
    let inner = Sha256::new().chain_update(*pad(0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(*pad(0x5c)).chain_update(inner).finalize().into()
}

/// Takes the same time wherever the first difference is.
fn is_equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && black_box(a.iter().zip(b).fold(0, |seen, (a, b)| black_box(seen | (a ^ b)))) == 0
}

impl fmt::Debug for AddressSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AddressSigner").field("base", &self.base).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn the_seal_is_the_one_of_rfc_4231() {
        let sealed = hmac(b"Jefe", b"what do ya want for nothing?");
        assert_eq!(hex(&sealed), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }

    fn parts(address: &str) -> (String, String) {
        let (path, query) = address
            .strip_prefix("https://example.org/_wharf/blobs/")
            .unwrap()
            .split_once('?')
            .unwrap();
        (path.to_owned(), query.to_owned())
    }

    #[test]
    fn an_address_allows_what_was_signed_and_nothing_else() {
        let signer = AddressSigner::new("https://example.org/", [7; 32]);
        let key = Key::parse("a/b+c@2x.png").unwrap();
        let (path, query) = parts(&signer.sign("blog", &key, Access::Get, HOUR));
        let grant = signer.check(&path, &query).unwrap();
        assert_eq!((grant.module.as_str(), &grant.key, grant.access), ("blog", &key, Access::Get));
        let later = query.replace("expires=", "expires=9");
        let signature = query.rsplit_once('=').unwrap().1;
        for (path, query) in [
            (path.replace("blog", "shop"), query.clone()),
            (path.replace("a/b", "a/c"), query.clone()),
            (path.clone(), query.replace("GET", "PUT")),
            (path.clone(), later),
            (path.clone(), query.replace(signature, "")),
            (path.clone(), query.replace(signature, &"0".repeat(64))),
            (path.clone(), format!("{query}&extra=1")),
            (path.clone(), String::new()),
            (format!("{path}/.."), query.clone()),
        ] {
            assert_eq!(signer.check(&path, &query), Err(Refused::Signature), "{path}?{query}");
        }
        let other = AddressSigner::new("https://example.org", [8; 32]);
        assert_eq!(other.check(&path, &query), Err(Refused::Signature));
    }

    #[test]
    fn an_address_expires() {
        let signer = AddressSigner::new("https://example.org", [7; 32]);
        let key = Key::parse("a").unwrap();
        let expires = now() - 1;
        let signature = hex(&signer.seal("m", &key, Access::Get, expires));
        let query = format!("method=GET&expires={expires}&signature={signature}");
        assert_eq!(signer.check("m/a", &query), Err(Refused::Expired));
    }
}
