//! Chooses the adapters behind the core services.

use std::sync::Arc;

use anyhow::Context as _;
use wharf_host::config::Config;
use wharf_host::infra::database::{Durability, Limits, PostgresState, SqliteSpaces, SqliteState};
use wharf_host::infra::events::RabbitTransport;
use wharf_host::infra::signals::{PostgresWaker, RedisWaker, StoredSignals};
use wharf_host::ports::signals::{EpochStore, SignalWaker};
use wharf_host::ports::state::StateStore;
use wharf_host::ports::transport::Transport;
use wharf_host::services::{Backends, ErrorSink};
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
    wakers: Vec<Arc<dyn SignalWaker>>,
}

/// Opens everything. Only the state database must answer now; what else is away is connected when it comes.
pub(super) async fn open(config: &Config, _metrics: &Metrics) -> anyhow::Result<Stores> {
    let mut state = open_state(config).await?;
    if let Some(url) = &config.signals.redis_url {
        let waker = RedisWaker::start(url.reveal(), &config.cache.prefix).context("signals.redis_url")?;
        state.wakers.push(Arc::new(waker));
    }
    let signals = Arc::new(StoredSignals::start(state.epochs, state.wakers));
    Ok(Stores {
        state: state.store,
        backends: Backends {
            signals,
            databases: Arc::new(SqliteSpaces::new(
                config.data_dir.join("modules"),
                Limits::default(),
                Durability::default(),
            )),
            ..Backends::in_memory()
        },
        error_sinks: Vec::new(),
    })
}

/// Carries events; none: the databases do.
pub(super) fn transport(config: &Config) -> Option<Arc<dyn Transport>> {
    let url = config.events.amqp_url.as_ref()?;
    Some(Arc::new(RabbitTransport::new(url.reveal(), &config.events.exchange)))
}

async fn open_state(config: &Config) -> anyhow::Result<State> {
    let url = config.database_url();
    if PostgresState::takes(url.reveal()) {
        let state = Arc::new(PostgresState::open_url(url.reveal()).await?);
        return Ok(State {
            store: state.clone(),
            epochs: state.clone(),
            wakers: vec![Arc::new(PostgresWaker::new(state))],
        });
    }
    let state = Arc::new(SqliteState::open_url(url.reveal()).await?);
    Ok(State {
        store: state.clone(),
        epochs: state,
        wakers: Vec::new(),
    })
}
