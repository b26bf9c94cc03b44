//! Sessions, tokens, keys, and login through other identity providers: a core module, linked into the host by default.
//!
//! In reading order: `tables` (what is kept), `keys` and `claims` (what tokens are), `sessions` (how they come to be and end),
//! `revocations` and `feed` (how every node learns of it), `grants` (the token endpoint), `http` and `grpc` (how it is reached),
//! `background` (what it does by itself). Who people are, and whether a password is right, is asked of the module `identity`.

mod api_keys;
mod audit;
mod authorize;
mod background;
mod claims;
mod clients;
mod config;
mod directory;
mod external;
mod failure;
mod feed;
mod grants;
mod grpc;
mod http;
mod keys;
mod revocations;
mod scopes;
mod secret;
mod sessions;
mod tables;

use std::sync::Arc;

use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::{Context, Error, Grpc, Handlers, Health, Jobs, Migrations, Module, OpenApi, Routes, export_module};

pub use background::AccountChanged;
pub use config::{Config, Provider, SigningAlgorithm};

use directory::Directory;
use external::Providers;
use feed::Feed;
use secret::Seal;

export_module!(Auth);

/// The module. Clones are the same one.
#[derive(Clone)]
pub struct Auth {
    pub(crate) inner: Arc<Inner>,
}

/// What every part of it uses.
pub(crate) struct Inner {
    pub(crate) ctx: Context,
    pub(crate) config: Config,
    pub(crate) db: Db,
    pub(crate) seal: Seal,
    pub(crate) directory: Directory,
    pub(crate) feed: Feed,
    pub(crate) providers: Providers,
}

impl Module for Auth {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        config.check()?;
        // The default of this image: clients of other providers, and nothing else here, speak TLS.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let seal = Seal::new(ctx.secrets()?.get("module-key").await?.reveal())?;
        Ok(Self {
            inner: Arc::new(Inner {
                db: ctx.db()?,
                seal,
                directory: Directory::new(&ctx)?,
                feed: Feed::default(),
                providers: Providers::new(&config)?,
                config,
                ctx,
            }),
        })
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        tables::all()
    }

    fn routes() -> Routes<Self> {
        http::routes()
    }

    fn openapi() -> OpenApi {
        http::document()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        grpc::services(self)
    }

    fn events() -> Handlers<Self> {
        background::handlers()
    }

    fn jobs() -> Jobs<Self> {
        background::jobs()
    }

    async fn start(&self) -> Result<(), Error> {
        self.inner.tend_keys().await?;
        self.inner.look().await?;
        background::follow(&self.inner);
        Ok(())
    }

    async fn health(&self) -> Health {
        match self.inner.look().await {
            Ok(()) => Health::serving(),
            Err(_) => Health::degraded("the database does not answer: keys and revocations are as they were"),
        }
    }
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth")
    }
}

/// Milliseconds since 1970: how times are kept.
pub(crate) fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// An id that sorts by the time it was made.
pub(crate) fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
