//! Tokens that were verified.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use quick_cache::Equivalent;
use quick_cache::sync::Cache;

use crate::security::principal::Principal;

/// Tokens that are kept; a token has some hundred bytes.
const KEPT: usize = 16 * 1024;
/// Bytes at the end of a token, within its signature, that it is found by. Only tokens with a valid signature are kept, so that
/// nobody can choose many with the same.
const TAIL: usize = 32;

/// What a verified token says.
pub(super) struct Known {
    pub(super) principal: Principal,
    /// `exp`.
    pub(super) expires: i64,
    /// `iat` in milliseconds.
    pub(super) issued: i64,
    /// `jti`.
    pub(super) token_id: String,
    /// Which key it was verified with.
    pub(super) key: String,
    /// Version of keys and revocations under which it last counted.
    version: AtomicU64,
}

/// The tokens.
pub(super) struct Verified(Cache<Token, Arc<Known>>);

#[derive(PartialEq, Eq)]
struct Token(Box<str>);

struct Sought<'a>(&'a str);

impl Known {
    pub(super) fn new(principal: Principal, expires: i64, issued: i64, token_id: String, key: String) -> Self {
        Self {
            principal,
            expires,
            issued,
            token_id,
            key,
            version: AtomicU64::new(0),
        }
    }

    pub(super) fn is_checked(&self, version: u64) -> bool {
        self.version.load(Ordering::Acquire) == version
    }

    pub(super) fn checked(&self, version: u64) {
        self.version.store(version, Ordering::Release);
    }
}

impl Verified {
    pub(super) fn new() -> Self {
        Self(Cache::new(KEPT))
    }

    pub(super) fn get(&self, token: &str) -> Option<Arc<Known>> {
        self.0.get(&Sought(token))
    }

    pub(super) fn keep(&self, token: &str, known: Known) {
        self.0.insert(Token(token.into()), Arc::new(known));
    }
}

impl Hash for Token {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Sought(&self.0).hash(state);
    }
}

impl Hash for Sought<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let bytes = self.0.as_bytes();
        state.write(bytes.get(bytes.len().saturating_sub(TAIL)..).unwrap_or_default());
    }
}

impl Equivalent<Token> for Sought<'_> {
    fn equivalent(&self, key: &Token) -> bool {
        *self.0 == *key.0
    }
}
