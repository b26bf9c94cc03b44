//! Chooses the adapters behind the core services.

use std::error::Error;
use std::sync::Arc;

use anyhow::Context as _;
use wharf_host::config::{Config, LoadOptions};
use wharf_host::infra::cache::{RedisCache, RedisCacheConfig};
use wharf_host::infra::database::{PostgresState, SqliteState};
use wharf_host::infra::errors::{FileSink, FileSinkConfig, Grouped, WebhookSink};
use wharf_host::infra::events::RabbitTransport;
use wharf_host::infra::rate::RedisRates;
use wharf_host::infra::secrets::{EnvironmentSecrets, FileSecrets, Vault};
use wharf_host::infra::signals::{PostgresWaker, RedisWaker, StoredSignals};
use wharf_host::ports::cache::{CacheStore, MemoryCache};
use wharf_host::ports::clock::{Clock, SystemClock};
use wharf_host::ports::rate::{MemoryRates, RateStore};
use wharf_host::ports::secrets::{MemorySecrets, SealedStore, SecretError, SecretSource, Secrets};
use wharf_host::ports::signals::{EpochStore, SignalWaker};
use wharf_host::ports::state::{StateError, StateStore};
use wharf_host::ports::transport::Transport;
use wharf_host::services::{Backends, CacheLimits, ErrorSink};
use wharf_host::telemetry::Metrics;

/// What a host keeps things in.
pub(super) struct Stores {
    pub(super) state: Arc<dyn StateStore>,
    pub(super) backends: Backends,
    pub(super) error_sinks: Vec<Arc<dyn ErrorSink>>,
}

/// The state database, in its several roles.
struct State {
    store: Arc<dyn StateStore>,
    epochs: Arc<dyn EpochStore>,
    sealed: Arc<dyn SealedStore>,
    /// Whether several nodes may use it.
    is_shared: bool,
    wakers: Vec<Arc<dyn SignalWaker>>,
}

/// Opens everything. Only the state database must answer now; what else is away is connected when it comes.
pub(super) async fn open(config: &Config, load: &LoadOptions, metrics: &Metrics) -> anyhow::Result<Stores> {
    let mut state = open_state(config).await?;
    if let Some(url) = &config.signals.redis_url {
        let waker = RedisWaker::start(url.reveal(), &config.cache.prefix).context("signals.redis_url")?;
        state.wakers.push(Arc::new(waker));
    }
    let secrets = secrets(config, load, &state)?;
    look_at_master_key(config, &state);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let signals = Arc::new(StoredSignals::start(state.epochs, state.wakers));
    Ok(Stores {
        state: state.store,
        backends: Backends {
            signals,
            databases: super::spaces::databases(config, metrics)?,
            blobs: super::blobs::open(config)?,
            mailer: super::mail::open(config)?,
            secrets,
            cache: open_cache(config, &clock).await?,
            rates: open_rates(config).await?,
            cache_limits: CacheLimits {
                max_value_bytes: config.cache.max_value_bytes.as_usize(),
            },
            ..Backends::in_memory_at(clock)
        },
        error_sinks: error_sinks(config)?,
    })
}

fn error_sinks(config: &Config) -> anyhow::Result<Vec<Arc<dyn ErrorSink>>> {
    let errors = &config.errors;
    let mut sinks: Vec<Arc<dyn ErrorSink>> = Vec::new();
    if let Some(path) = &errors.file {
        let file = FileSinkConfig {
            path: path.clone(),
            max_bytes: errors.max_file_size.get(),
            keep: errors.keep_files,
        };
        let sink = FileSink::start(file).with_context(|| format!("errors.file: cannot open {}", path.display()))?;
        sinks.push(Arc::new(sink));
    }
    if let Some(url) = &errors.webhook {
        sinks.push(Arc::new(WebhookSink::start(url.reveal()).context("errors.webhook")?));
    }
    if sinks.is_empty() {
        return Ok(sinks);
    }
    Ok(vec![Arc::new(Grouped::new(sinks, errors.group.get()))])
}

/// The vault of a host that may not be running.
///
/// # Errors
/// When the state database cannot be opened, or the key of an embedded host cannot be made.
pub(crate) async fn open_vault(config: &Config) -> Result<Vault, Box<dyn Error + Send + Sync>> {
    let state = open_state(config).await?;
    Ok(vault(config, &state)?)
}

/// Where secrets of a host come from that is not running; what it keeps is asked too where there has been one.
///
/// # Errors
/// As [`open_vault`].
pub(crate) async fn secrets_of(config: &Config, load: &LoadOptions, was_here: bool) -> Result<Secrets, Box<dyn Error + Send + Sync>> {
    if was_here {
        return Ok(secrets(config, load, &open_state(config).await?)?);
    }
    let mut sources = outside_secrets(config, load);
    sources.push(Arc::new(MemorySecrets::new()));
    Ok(Secrets::new(sources))
}

/// Environment first, then files, then what the host keeps.
fn secrets(config: &Config, load: &LoadOptions, state: &State) -> Result<Secrets, SecretError> {
    let mut sources = outside_secrets(config, load);
    sources.push(Arc::new(vault(config, state)?));
    Ok(Secrets::new(sources))
}

fn outside_secrets(config: &Config, load: &LoadOptions) -> Vec<Arc<dyn SecretSource>> {
    let mut sources: Vec<Arc<dyn SecretSource>> = vec![Arc::new(EnvironmentSecrets::new(&load.environment))];
    if let Some(dir) = &config.secrets.dir {
        sources.push(Arc::new(FileSecrets::new(dir.clone())));
    }
    sources
}

/// A database that several nodes share needs one key for all of them, which no node can make.
fn vault(config: &Config, state: &State) -> Result<Vault, SecretError> {
    let vault = Vault::new(Arc::clone(&state.sealed), config.master_key_file());
    if !state.is_shared {
        vault.make_key()?;
    }
    Ok(vault)
}

/// Says at once that the master key is of no use: what is missed later is a module, which is a long way from the reason. Where no
/// core module runs a key that nobody made is none that is needed.
fn look_at_master_key(config: &Config, state: &State) {
    let Err(error) = Vault::new(Arc::clone(&state.sealed), config.master_key_file()).key_id() else {
        return;
    };
    let is_absent = matches!(&error, SecretError::File { source, .. } if source.kind() == std::io::ErrorKind::NotFound);
    if is_absent && config.security.core_modules.is_empty() {
        return;
    }
    tracing::error!(
        error = %error,
        "the master key cannot be used: secrets that the host keeps cannot be read, and modules that need one do not start, so without auth nobody can sign in; mend it, then start again or `wharf modules enable MODULE`"
    );
}

async fn open_cache(config: &Config, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn CacheStore>> {
    let cache = &config.cache;
    let Some(url) = &cache.url else {
        return Ok(Arc::new(MemoryCache::new(Arc::clone(clock), cache.max_bytes_per_module.get())));
    };
    let how = RedisCacheConfig {
        url: url.reveal().to_owned(),
        prefix: cache.prefix.clone(),
        timeout: cache.timeout.get(),
        connections: cache.connections as usize,
        near: cache.near.get(),
    };
    Ok(Arc::new(RedisCache::start(&how).await.context("cache.url")?))
}

async fn open_rates(config: &Config) -> anyhow::Result<Arc<dyn RateStore>> {
    let limits = &config.rate_limits;
    let store: Arc<dyn RateStore> = match limits.redis_url.as_ref().or(config.cache.url.as_ref()) {
        None => Arc::new(MemoryRates::new()),
        Some(url) => Arc::new(
            RedisRates::start(url.reveal(), &config.cache.prefix, limits.timeout.get())
                .await
                .context("rate_limits.redis_url")?,
        ),
    };
    tracing::info!(place = store.place(), "calls are counted");
    Ok(store)
}

/// Carries events; none: the databases do.
pub(super) fn transport(config: &Config) -> Option<Arc<dyn Transport>> {
    let url = config.events.amqp_url.as_ref()?;
    Some(Arc::new(RabbitTransport::new(url.reveal(), &config.events.exchange)))
}

async fn open_state(config: &Config) -> Result<State, StateError> {
    let url = config.database_url();
    if PostgresState::takes(url.reveal()) {
        let state = Arc::new(PostgresState::open_url(url.reveal()).await?);
        return Ok(State {
            store: state.clone(),
            epochs: state.clone(),
            sealed: state.clone(),
            is_shared: true,
            wakers: vec![Arc::new(PostgresWaker::new(state))],
        });
    }
    let state = Arc::new(SqliteState::open_url(url.reveal()).await?);
    Ok(State {
        store: state.clone(),
        epochs: state.clone(),
        sealed: state,
        is_shared: false,
        wakers: Vec::new(),
    })
}
