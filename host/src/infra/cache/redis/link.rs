//! The connections to Redis, whether they work, and what they tell of changes.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::clients::{Client, Pool};
use fred::error::{Error, ErrorKind};
use fred::interfaces::{ClientLike, EventInterface, TrackingInterface};
use fred::types::scripts::Script;
use fred::types::{FromValue, MultipleKeys, MultipleValues};
use tokio::task::JoinSet;

use super::super::near::Near;
use super::RedisCacheConfig;
use crate::infra::redis::{RedisError, builder};
use crate::ports::cache::CacheError;

/// How long a host that starts waits for the first connection.
const START: Duration = Duration::from_secs(2);
/// First and longest pause of the task that asks whether the server is back.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));
/// How often the connection that is told of changes is asked whether it lives.
const WATCH: Duration = Duration::from_millis(500);

/// The way to Redis. Its tasks end when it is dropped.
pub(super) struct Link {
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

struct Shared {
    pool: Pool,
    timeout: Duration,
    is_up: AtomicBool,
    /// Told when something failed.
    failed: tokio::sync::Notify,
    near: Option<Near>,
    /// Whether changes are told now.
    is_tracking: AtomicBool,
}

impl Link {
    pub(super) async fn start(config: &RedisCacheConfig) -> Result<Arc<Self>, RedisError> {
        let builder = builder(&config.url, config.timeout)?;
        let pool = builder.build_pool(config.connections.max(1)).map_err(RedisError::new)?;
        drop(pool.connect());
        let shared = Arc::new(Shared {
            pool,
            timeout: config.timeout,
            is_up: AtomicBool::new(false),
            failed: tokio::sync::Notify::new(),
            near: (config.near > 0).then(|| Near::new(config.near)),
            is_tracking: AtomicBool::new(false),
        });
        let mut tasks = JoinSet::new();
        if shared.near.is_some() {
            if config.url.contains("-cluster://") {
                return Err(RedisError::cluster());
            }
            let client = builder.build().map_err(RedisError::new)?;
            drop(client.connect());
            tasks.spawn(track(shared.clone(), client, format!("{}:", config.prefix)));
        }
        tasks.spawn(probe(shared.clone()));
        shared.failed.notify_one();
        let came_up = async {
            while !shared.is_up.load(Ordering::Acquire) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(START, came_up).await.is_err() {
            tracing::warn!("redis does not answer: the cache finds nothing and keeps nothing until it does");
        }
        Ok(Arc::new(Self { shared, _tasks: tasks }))
    }

    /// What is kept in this process; none when that is not wanted, or changes are not told now.
    pub(super) fn near(&self) -> Option<&Near> {
        self.shared
            .near
            .as_ref()
            .filter(|_| self.shared.is_tracking.load(Ordering::Acquire))
    }

    /// A value was changed from here.
    pub(super) fn changed(&self, key: &str) {
        if let Some(near) = &self.shared.near {
            near.changed(key);
        }
    }

    /// Runs one operation, unless the server is known to be away.
    pub(super) async fn run<T>(&self, operation: impl AsyncFnOnce(&Client) -> Result<T, Error>) -> Result<T, CacheError> {
        if !self.shared.is_up.load(Ordering::Acquire) {
            metrics::counter!("wharf_cache_failures_total").increment(1);
            return Err(CacheError::Unavailable("redis does not answer".to_owned()));
        }
        match operation(self.shared.pool.next()).await {
            Ok(value) => Ok(value),
            Err(error) if is_answer(&error) => Err(CacheError::Refused(error.details().to_owned())),
            Err(error) => {
                metrics::counter!("wharf_cache_failures_total").increment(1);
                self.shared.trip(&error);
                Err(CacheError::Unavailable(error.details().to_owned()))
            }
        }
    }

    /// Runs a script, which is sent again when the server has forgotten it.
    pub(super) async fn script<T: FromValue, A>(&self, script: &Script, keys: Vec<String>, arguments: Vec<A>) -> Result<T, CacheError>
    where
        MultipleValues: TryFrom<Vec<A>>,
        Error: From<<MultipleValues as TryFrom<Vec<A>>>::Error>,
    {
        let arguments =
            MultipleValues::try_from(arguments).map_err(|error| CacheError::Refused(Error::from(error).details().to_owned()))?;
        self.run(async |client| script.evalsha_with_reload(client, MultipleKeys::from(keys), arguments).await)
            .await
    }
}

impl Shared {
    /// Sends nothing more until the server is back. Told once.
    fn trip(&self, error: &Error) {
        if self.is_up.swap(false, Ordering::AcqRel) {
            tracing::warn!(error = %error, "redis does not answer: the cache finds nothing and keeps nothing until it does");
            metrics::gauge!("wharf_cache_up").set(0.0);
        }
        self.failed.notify_one();
    }

    fn stop_tracking(&self) {
        self.is_tracking.store(false, Ordering::Release);
        if let Some(near) = &self.near {
            near.flush();
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let pool = self.shared.pool.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { drop(pool.quit().await) });
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("is_up", &self.shared.is_up)
            .field("is_tracking", &self.shared.is_tracking)
            .finish_non_exhaustive()
    }
}

/// After a failure, asks until the server answers on every connection.
async fn probe(shared: Arc<Shared>) {
    loop {
        shared.failed.notified().await;
        let mut pause = PAUSES.0;
        while !answers(&shared).await {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        }
        if !shared.is_up.swap(true, Ordering::AcqRel) {
            metrics::gauge!("wharf_cache_up").set(1.0);
            tracing::info!("redis answers: the cache is used");
        }
    }
}

async fn answers(shared: &Shared) -> bool {
    for client in shared.pool.clients() {
        let ping = client.ping::<String>(None);
        if !matches!(tokio::time::timeout(shared.timeout, ping).await, Ok(Ok(_))) {
            return false;
        }
    }
    true
}

/// Listens for changes of all keys of this installation, on a connection of its own.
async fn track(shared: Arc<Shared>, client: Client, prefix: String) {
    let mut changes = client.invalidation_rx();
    let mut reconnects = client.reconnect_rx();
    let mut watch = tokio::time::interval(WATCH);
    watch.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            // A new connection is told nothing until it asks; what changed meanwhile is not known.
            _ = reconnects.recv() => {
                shared.stop_tracking();
                begin(&shared, &client, &prefix).await;
            }
            change = changes.recv() => match (change, &shared.near) {
                (Ok(change), Some(near)) if !change.keys.is_empty() => {
                    change.keys.iter().filter_map(|key| key.as_str()).for_each(|key| near.changed(key));
                }
                // All keys at once, or more than were read in time.
                _ => shared.stop_tracking(),
            },
            _ = watch.tick() => {
                let ping = client.ping::<String>(None);
                if !matches!(tokio::time::timeout(shared.timeout, ping).await, Ok(Ok(_))) {
                    shared.stop_tracking();
                } else if !shared.is_tracking.load(Ordering::Acquire) {
                    begin(&shared, &client, &prefix).await;
                }
            }
        }
    }
}

async fn begin(shared: &Shared, client: &Client, prefix: &str) {
    // Asking twice is an error on a connection that is told already: it is told nothing more first.
    drop(client.stop_tracking().await);
    if client.start_tracking(prefix, true, false, false, false).await.is_ok() {
        if let Some(near) = &shared.near {
            near.flush();
        }
        shared.is_tracking.store(true, Ordering::Release);
    }
}

/// Whether the server answered: with an error, but it is there.
fn is_answer(error: &Error) -> bool {
    let is_there = matches!(
        error.kind(),
        ErrorKind::InvalidCommand | ErrorKind::InvalidArgument | ErrorKind::Unknown | ErrorKind::NotFound | ErrorKind::Parse
    );
    // It is there, and of no use yet.
    is_there
        // The last is the client's own: it found no connection that is alive.
        && !["LOADING", "MASTERDOWN", "CLUSTERDOWN", "NOAUTH", "Failed to route"]
            .iter()
            .any(|word| error.details().starts_with(word))
}
