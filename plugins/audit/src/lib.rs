//! The audit record: append-only and hash-chained: a core module, linked into the host by default.
//!
//! What is recorded comes in as events and by `Append` (`intents`), is tied to a chain within a second (`sealer`), and can be
//! read, exported and proven (`records`). What ties entries together and finds what was tampered with is free of I/O ([`chain`],
//! [`verify`]), so that the command line can do it on an exported file.

pub mod chain;
pub mod verify;

mod caller;
mod config;
mod error;
mod grpc;
mod intents;
mod record;
mod records;
mod rules;
mod sealer;
mod tables;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use wharf_proto::audit::v1::audit_server::AuditServer;
use wharf_proto::audit::v1::records_server::RecordsServer;
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::{Context, Error, Grpc, Handlers, JobContext, Jobs, Migrations, Module, Routes, export_module};

pub use config::Config;

/// Secret that the host makes for this module and nobody else reads. Checkpoints are signed with a key that comes of it.
const SECRET: &str = "module-key";

export_module!(Audit);

/// The module.
#[derive(Clone)]
pub struct Audit {
    ctx: Context,
    db: Db,
    config: Config,
    /// Name of this node, and of its chain.
    node: String,
    key: Arc<SigningKey>,
    rules: rules::Rules,
}

impl Module for Audit {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        let secret = ctx.secrets()?.get(SECRET).await?;
        let seed = Sha256::new()
            .chain_update("wharf.audit.checkpoint.v1")
            .chain_update(secret.reveal())
            .finalize();
        Ok(Self {
            db: ctx.db()?,
            node: ctx.node().to_owned(),
            key: Arc::new(SigningKey::from_bytes(&seed.into())),
            rules: rules::Rules::new(&ctx),
            config,
            ctx,
        })
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new()
            .serve(AuditServer::from_arc(self.clone()))
            .serve(RecordsServer::from_arc(self.clone()))
    }

    /// None; in tests of this crate one with which they tamper with the tables.
    fn routes() -> Routes<Self> {
        let routes = Routes::new();
        #[cfg(test)]
        let routes = tests::routes(routes);
        routes
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        tables::entities()
    }

    fn events() -> Handlers<Self> {
        intents::handlers()
    }

    fn jobs() -> Jobs<Self> {
        Jobs::new().job("retention", Self::retention)
    }

    async fn start(&self) -> Result<(), Error> {
        self.ctx.spawn(self.clone().keep_sealing(self.ctx.clone()));
        Ok(())
    }

    /// What came last is sealed and signed, so that whoever stops a host leaves nothing unproven.
    async fn stop(&self) -> Result<(), Error> {
        Ok(self.seal().await?)
    }
}

impl Audit {
    /// What checkpoints are verified with, in hexadecimal.
    pub(crate) fn public_key(&self) -> String {
        chain::hex(self.key.verifying_key().as_bytes())
    }

    async fn retention(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        let removed = self.forget_old(jiff::Timestamp::now().as_microsecond()).await?;
        if removed > 0 {
            tracing::info!(removed, "old entries were removed");
        }
        Ok(())
    }
}

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Audit").field("node", &self.node).finish_non_exhaustive()
    }
}
