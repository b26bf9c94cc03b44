//! Getting a value that is computed when it is not there: once, however many ask.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_plugin_api::services::cache::LockToken;
use wharf_plugin_api::{Fault, FaultCode};

use super::flight::Outcome;
use super::{Cache, encode, millis};

/// How often a node looks whether another one has loaded the value.
const LOOK: Duration = Duration::from_millis(40);

/// How [`Cache::get_or_load_with`] loads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// How long a value stays.
    pub ttl: Duration,
    /// How long it is remembered that there is none; `None`: it is asked again each time.
    pub absent: Option<Duration>,
    /// Values end earlier than `ttl` by a random part of it up to this one, so that what was loaded together does not end
    /// together. 0 to 1.
    pub jitter: f64,
    /// Also loads once over all nodes, by a lock with this lease. A node waits for another one's load no longer than that.
    pub across_nodes: Option<Duration>,
}

/// Why a value could not be loaded. Everybody who waited for one load gets the same.
#[derive(Clone)]
pub enum LoadError {
    /// The load itself failed.
    Failed(Arc<dyn Error + Send + Sync>),
    /// The key is not acceptable, the value cannot be written, or the instance has ended.
    Refused(Fault),
}

impl Default for Load {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(60),
            absent: None,
            jitter: 0.1,
            across_nodes: None,
        }
    }
}

impl Cache {
    /// The value under a key, or what `load` gives, which is then kept for `ttl` (up to a tenth less, so that what was loaded
    /// together does not end together).
    ///
    /// Calls of this instance for one key share one load. If the one that loads is dropped, the next goes on. When the cache
    /// is away each round of callers loads anew, still once.
    ///
    /// # Errors
    /// [`LoadError::Failed`] with the error of `load`, for everybody who waited for it. It is not kept.
    pub async fn get_or_load<T, E, F>(&self, key: &str, ttl: Duration, load: impl FnOnce() -> F) -> Result<T, LoadError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<T, E>>,
    {
        let how = Load { ttl, ..Load::default() };
        let some = || async move { load().await.map(Some).map_err(Into::into) };
        match self.load::<T, _>(key, &how, some).await? {
            Some(value) => Ok(value),
            None => Err(LoadError::Refused(Fault::new(
                FaultCode::INVALID,
                format!("found nothing under {key:?} where a value is expected; `get_or_load_with` and this must not share a key"),
            ))),
        }
    }

    /// The same for what may not exist, and with more to say about it.
    ///
    /// # Errors
    /// As [`Cache::get_or_load`].
    pub async fn get_or_load_with<T, E, F>(&self, key: &str, how: &Load, load: impl FnOnce() -> F) -> Result<Option<T>, LoadError>
    where
        T: Serialize + DeserializeOwned,
        E: Into<Box<dyn Error + Send + Sync>>,
        F: Future<Output = Result<Option<T>, E>>,
    {
        self.load(key, how, || async move { load().await.map_err(Into::into) }).await
    }

    async fn load<T, F>(&self, key: &str, how: &Load, load: impl FnOnce() -> F) -> Result<Option<T>, LoadError>
    where
        T: Serialize + DeserializeOwned,
        F: Future<Output = Result<Option<T>, Box<dyn Error + Send + Sync>>>,
    {
        if let Some(value) = self.kept(key).await? {
            return Ok(value);
        }
        let flight = self.state.flights.join(&self.full(key));
        let mut outcome = flight.outcome.lock().await;
        if let Some(outcome) = &*outcome {
            return shared(key, outcome);
        }
        // Another load may have ended between the first look and now.
        if let Some(value) = self.kept(key).await? {
            self.state.flights.land(&flight);
            return Ok(value);
        }
        let turn = match how.across_nodes {
            Some(lease) => match self.take_turn(key, lease).await? {
                Turn::Loaded(value) => {
                    self.state.flights.land(&flight);
                    return Ok(value);
                }
                Turn::Mine(turn) => turn,
            },
            None => None,
        };
        let (result, value) = match load().await {
            Ok(value) => (Ok(Bytes::from(encode(&value).map_err(LoadError::Refused)?)), value),
            Err(error) => (Err(Arc::from(error)), None),
        };
        if let Ok(bytes) = &result {
            self.keep(key, bytes, value.is_some(), how).await;
        }
        *outcome = Some(result.clone());
        self.state.flights.land(&flight);
        drop(turn);
        result.map(|_| value).map_err(LoadError::Failed)
    }

    /// What is kept: some value, or that there is none. What cannot be read is loaded again.
    async fn kept<T: DeserializeOwned>(&self, key: &str) -> Result<Option<Option<T>>, LoadError> {
        let found = self.get_bytes(key).await.map_err(LoadError::Refused)?;
        Ok(found.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// A cache that cannot keep it is no reason to fail: the value is here.
    async fn keep(&self, key: &str, bytes: &Bytes, is_some: bool, how: &Load) {
        let ttl = if is_some { Some(how.ttl) } else { how.absent };
        if let Some(ttl) = ttl {
            let ttl = shortened(ttl, how.jitter);
            if let Err(fault) = self
                .state
                .service
                .set(self.full(key).as_ref().into(), bytes.as_ref().into(), millis(Some(ttl)))
                .get()
                .await
            {
                tracing::debug!(key, error = %fault, "a loaded value was not kept");
            }
        }
    }

    /// Waits until this node may load, another one has, or the lease has passed.
    async fn take_turn<T: DeserializeOwned>(&self, key: &str, lease: Duration) -> Result<Turn<T>, LoadError> {
        let key_in_space = self.full(key);
        let name = format!("load:{key_in_space}");
        let name = if name.len() > 512 { &*key_in_space } else { &name };
        let Some(core) = self.core.upgrade() else {
            return Ok(Turn::Mine(None));
        };
        if !core.can_spawn() {
            return Err(LoadError::Refused(super::lock::needs_runtime()));
        }
        let mut waited = Duration::ZERO;
        loop {
            match self.state.service.lock(name.into(), millis(Some(lease))).get().await {
                Ok(token) => {
                    if let Some(token) = token.into_option() {
                        let turn = HeldTurn {
                            cache: self.clone(),
                            name: name.to_owned(),
                            token,
                        };
                        // Whoever had the turn may have kept it in the meantime.
                        return Ok(match self.kept(key).await? {
                            Some(value) => Turn::Loaded(value),
                            None => Turn::Mine(Some(turn)),
                        });
                    }
                }
                Err(fault) if fault.code == FaultCode::UNAVAILABLE => return Ok(Turn::Mine(None)),
                Err(fault) => return Err(LoadError::Refused(fault)),
            }
            if waited >= lease {
                return Ok(Turn::Mine(None));
            }
            core.sleep(LOOK).await;
            waited += LOOK;
            if let Some(value) = self.kept(key).await? {
                return Ok(Turn::Loaded(value));
            }
        }
    }
}

/// Who loads, over all nodes.
enum Turn<T> {
    /// Another node has.
    Loaded(Option<T>),
    /// This one does; without a lock when there is none to be had.
    Mine(Option<HeldTurn>),
}

/// Given back when it is dropped.
struct HeldTurn {
    cache: Cache,
    name: String,
    token: LockToken,
}

impl Drop for HeldTurn {
    fn drop(&mut self) {
        self.cache.state.service.unlock_soon(self.name.as_str().into(), self.token);
    }
}

fn shared<T: DeserializeOwned>(key: &str, outcome: &Outcome) -> Result<Option<T>, LoadError> {
    match outcome {
        Ok(bytes) => super::decode(key, bytes).map_err(LoadError::Refused),
        Err(error) => Err(LoadError::Failed(error.clone())),
    }
}

/// A time that is shorter by a random part.
fn shortened(ttl: Duration, jitter: f64) -> Duration {
    // The keys of a `RandomState` are random; no more is asked of them here.
    let random = RandomState::new().build_hasher().finish() as f64 / u64::MAX as f64;
    ttl.mul_f64((1.0 - jitter.clamp(0.0, 1.0) * random).max(0.0))
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(_) => f.write_str("the value could not be loaded"),
            Self::Refused(fault) => write!(f, "{fault}"),
        }
    }
}

impl fmt::Debug for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
            Self::Refused(fault) => f.debug_tuple("Refused").field(fault).finish(),
        }
    }
}

impl Error for LoadError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(&**error),
            Self::Refused(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_shortens_and_never_lengthens() {
        let ttl = Duration::from_secs(100);
        assert_eq!(shortened(ttl, 0.0), ttl);
        let some: Vec<_> = (0..64).map(|_| shortened(ttl, 0.1)).collect();
        assert!(some.iter().all(|short| *short <= ttl && *short >= Duration::from_secs(90)));
        assert!(some.iter().any(|short| *short != some[0]), "no two differ");
        assert!(shortened(ttl, 7.0) <= ttl);
    }
}
