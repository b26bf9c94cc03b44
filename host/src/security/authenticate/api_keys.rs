//! API keys: whoever keeps them is asked, and the answer is remembered for a moment.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::security::principal::{About, Kind, Principal};

/// Answers that are remembered.
const KEPT: usize = 8 * 1024;
/// How long, in seconds.
const REMEMBERED: i64 = 30;

/// What an API key stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, which is no secret.
    pub id: String,
    /// `user:ID` or `service:ID`.
    pub subject: String,
    /// Tenant it acts in.
    pub tenant: String,
    /// For people to read.
    pub name: String,
    /// Permissions it is restricted to; empty: all of its subject.
    pub scopes: Vec<String>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<i64>,
}

/// Why an API key was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyFault {
    /// Unknown, expired or revoked.
    Unknown,
    /// Whoever keeps the keys does not answer.
    Unavailable,
}

/// The answer of whoever keeps the keys.
pub type KeyAnswer<'a> = Pin<Box<dyn Future<Output = Result<ApiKey, KeyFault>> + Send + 'a>>;

/// Keeps API keys.
pub trait CheckApiKey: Send + Sync + 'static {
    /// What this key stands for.
    fn check<'a>(&'a self, key: &'a str) -> KeyAnswer<'a>;
}

/// What is known of keys, by digest.
pub(crate) struct ApiKeys {
    asked: OnceLock<Arc<dyn CheckApiKey>>,
    known: Cache<[u8; 32], Arc<Remembered>>,
}

struct Remembered {
    key: ApiKey,
    principal: Principal,
    until: i64,
    version: AtomicU64,
}

impl ApiKeys {
    pub(super) fn new() -> Self {
        Self {
            asked: OnceLock::new(),
            known: Cache::new(KEPT),
        }
    }

    pub(super) fn ask(&self, check: Arc<dyn CheckApiKey>) {
        let _ = self.asked.set(check);
    }

    pub(super) fn digest(key: &str) -> [u8; 32] {
        Sha256::digest(key.as_bytes()).into()
    }

    /// A copy that leaves nothing behind.
    pub(super) fn secret(key: &str) -> Zeroizing<String> {
        Zeroizing::new(key.to_owned())
    }

    /// Whom the key stands for, if that is known and still holds.
    pub(super) fn get(&self, digest: &[u8; 32], now: i64, version: u64, holds: impl FnOnce(&ApiKey) -> bool) -> Option<Principal> {
        let known = self.known.get(digest)?;
        if now >= known.until {
            return None;
        }
        if known.version.load(Ordering::Acquire) != version {
            if !holds(&known.key) {
                self.known.remove(digest);
                return None;
            }
            known.version.store(version, Ordering::Release);
        }
        Some(known.principal.clone())
    }

    pub(super) async fn check(&self, key: Zeroizing<String>) -> Result<ApiKey, KeyFault> {
        let asked = self.asked.get().ok_or(KeyFault::Unavailable)?;
        let answer = asked.check(&key).await?;
        // A key stands for people and programs outside, never for the host or a module.
        match kind(&answer.subject) {
            Some(_) => Ok(answer),
            None => Err(KeyFault::Unknown),
        }
    }

    pub(super) fn keep(&self, digest: [u8; 32], key: &ApiKey, now: i64, version: u64) -> Principal {
        let (kind, id) = kind(&key.subject).unwrap_or((Kind::Service, ""));
        let about = About {
            tenant: key.tenant.clone(),
            name: key.name.clone(),
            client: Some(key.id.clone()),
            scopes: Some(key.scopes.clone()).filter(|scopes| !scopes.is_empty()),
            ..About::default()
        };
        let principal = Principal::known(kind, id, about);
        let remembered = Remembered {
            key: key.clone(),
            principal: principal.clone(),
            until: key.expires.unwrap_or(i64::MAX).min(now.saturating_add(REMEMBERED)),
            version: AtomicU64::new(version),
        };
        self.known.insert(digest, Arc::new(remembered));
        principal
    }
}

fn kind(subject: &str) -> Option<(Kind, &str)> {
    match subject.split_once(':')? {
        (_, "") => None,
        ("user", id) => Some((Kind::User, id)),
        ("service", id) => Some((Kind::Service, id)),
        _ => None,
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKeys")
    }
}
