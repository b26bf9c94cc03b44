//! Who is calling: bearer tokens become principals.
//!
//! A token that was verified once is looked up from then on, until it expires or something is revoked. API keys are asked
//! of whoever keeps them, and remembered for half a minute.

mod api_keys;
mod bearer;
mod claims;
mod keys;
mod revoked;
mod verified;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;

pub(crate) use self::api_keys::ApiKeys;
pub use self::api_keys::{ApiKey, CheckApiKey, KeyAnswer, KeyFault};
pub use self::bearer::is_bearer;
use self::bearer::{Bearer, bearer};
pub use self::claims::Rejected;
pub use self::keys::{KeyRing, KeyRingError, PublishedKey};
pub use self::revoked::{Revocation, Revoked};
use self::verified::{Known, Verified};
use super::principal::Principal;
use crate::ports::clock::Clock;

/// Longest leeway for clocks that differ.
pub const MOST_LEEWAY: Duration = Duration::from_secs(60);

/// Turns bearer tokens into principals.
pub struct Authenticator {
    /// How tokens are verified; none until a source has said so.
    keys: ArcSwap<Option<KeyRing>>,
    revoked: RwLock<Revoked>,
    /// Counts changes of keys and revocations: what was found out under an older one is looked at again.
    version: AtomicU64,
    verified: Verified,
    api_keys: ApiKeys,
    clock: Arc<dyn Clock>,
    leeway: i64,
}

/// What the header fields of a request say of its caller.
pub(crate) enum Identified {
    /// No bearer token came.
    Nobody,
    /// Somebody.
    Somebody(Principal),
    /// A token that does not count.
    Rejected(Rejected),
    /// Whoever keeps the API keys has to be asked.
    Asking(Asking),
}

/// An API key being asked about.
pub(crate) type Asking = Pin<Box<dyn Future<Output = Result<Principal, KeyFault>> + Send>>;

impl Authenticator {
    /// Knows no keys yet. `leeway` is cut to [`MOST_LEEWAY`].
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, leeway: Duration) -> Self {
        Self {
            keys: ArcSwap::from_pointee(None),
            revoked: RwLock::default(),
            version: AtomicU64::new(1),
            verified: Verified::new(),
            api_keys: ApiKeys::new(),
            clock,
            leeway: i64::try_from(leeway.min(MOST_LEEWAY).as_secs()).unwrap_or(0),
        }
    }

    /// Verifies tokens with these keys from now on, and with no others.
    pub fn set_keys(&self, keys: KeyRing) {
        if self.keys.load().as_ref().as_ref().is_some_and(|old| old.is_same(&keys)) {
            return;
        }
        self.keys.store(Arc::new(Some(keys)));
        self.version.fetch_add(1, Ordering::Release);
    }

    /// Takes what was revoked: all there is, or what came.
    pub fn revoke(&self, snapshot: bool, revocations: impl IntoIterator<Item = Revocation>) {
        let now = self.clock.now().as_second();
        let changed = {
            let mut revoked = self.revoked.write().unwrap_or_else(PoisonError::into_inner);
            revoked.take(snapshot, revocations, now)
        };
        if changed {
            self.version.fetch_add(1, Ordering::Release);
        }
    }

    /// Asks this about API keys.
    pub fn ask_for_api_keys(&self, check: Arc<dyn CheckApiKey>) {
        self.api_keys.ask(check);
    }

    /// Who the header fields say is calling.
    pub(crate) fn identify(self: &Arc<Self>, headers: &HeaderMap) -> Identified {
        match bearer(headers) {
            Bearer::None => Identified::Nobody,
            Bearer::Malformed(why) => Identified::Rejected(why),
            Bearer::ApiKey(key) => self.api_key(key),
            Bearer::Token(token) => match self.token(token) {
                Ok(principal) => Identified::Somebody(principal),
                Err(why) => Identified::Rejected(why),
            },
        }
    }

    /// Whose signed token this is.
    ///
    /// # Errors
    /// Why it does not count.
    pub fn token(&self, token: &str) -> Result<Principal, Rejected> {
        let version = self.version.load(Ordering::Acquire);
        let now = self.clock.now().as_second();
        if let Some(known) = self.verified.get(token) {
            if now >= known.expires.saturating_add(self.leeway) {
                return Err(Rejected::Expired);
            }
            if known.is_checked(version) {
                return Ok(known.principal.clone());
            }
            return self.again(&known, version);
        }
        let keys = self.keys.load();
        let keys = keys.as_ref().as_ref().ok_or(Rejected::NoKeys)?;
        let known = claims::verify(token, keys, now, self.leeway)?;
        self.not_revoked(&known)?;
        let principal = known.principal.clone();
        known.checked(version);
        self.verified.keep(token, known);
        Ok(principal)
    }

    /// Keys or revocations changed since this token was looked at.
    fn again(&self, known: &Known, version: u64) -> Result<Principal, Rejected> {
        let keys = self.keys.load();
        let is_current = keys.as_ref().as_ref().is_some_and(|keys| keys.has(&known.key));
        if !is_current {
            return Err(Rejected::UnknownKey);
        }
        self.not_revoked(known)?;
        known.checked(version);
        Ok(known.principal.clone())
    }

    fn not_revoked(&self, known: &Known) -> Result<(), Rejected> {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        if revoked.token(&known.principal, &known.token_id, known.issued) {
            return Err(Rejected::Revoked);
        }
        Ok(())
    }

    fn api_key(self: &Arc<Self>, key: &str) -> Identified {
        let version = self.version.load(Ordering::Acquire);
        let now = self.clock.now().as_second();
        let digest = ApiKeys::digest(key);
        if let Some(principal) = self.api_keys.get(&digest, now, version, |known| !self.is_key_touched(known)) {
            return Identified::Somebody(principal);
        }
        let (this, key) = (Arc::clone(self), ApiKeys::secret(key));
        Identified::Asking(Box::pin(async move {
            let known = this.api_keys.check(key).await?;
            let now = this.clock.now().as_second();
            if known.expires.is_some_and(|at| at <= now) || this.is_key_revoked(&known) {
                return Err(KeyFault::Unknown);
            }
            Ok(this.api_keys.keep(digest, &known, now, version))
        }))
    }

    fn is_key_revoked(&self, key: &ApiKey) -> bool {
        self.revoked.read().unwrap_or_else(PoisonError::into_inner).api_key(&key.id)
    }

    /// Whether something was revoked that has to do with this key: then it is asked about again.
    fn is_key_touched(&self, key: &ApiKey) -> bool {
        let revoked = self.revoked.read().unwrap_or_else(PoisonError::into_inner);
        revoked.api_key(&key.id) || revoked.subject(&key.subject)
    }
}

impl fmt::Debug for Authenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authenticator")
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
