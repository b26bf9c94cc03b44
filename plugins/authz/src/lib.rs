//! Roles and rules, edited with casbin: a core module, linked into the host by default.
//!
//! Hosts do not ask this module whether somebody may: they watch its rules and answer from a compiled snapshot. In reading
//! order: `line` (rules and bindings), `tables` (where they are kept), `store` (how they are read and written), `model` (casbin),
//! `policy` (what is in memory), `rulebook` (edits), `caller` and `limits` (who may edit what), `feed` (what hosts watch),
//! `background` (what others' events change), `journal` (what is recorded). `grpc` only translates.

mod background;
mod caller;
mod error;
mod feed;
mod grpc;
mod journal;
mod limits;
mod line;
mod model;
mod policy;
mod rulebook;
mod store;
mod tables;

use std::sync::Arc;

use wharf_sdk::services::audit::Audit;
use wharf_sdk::services::database::Entities;
use wharf_sdk::{Context, Error, Grpc, Handlers, Health, Migrations, Module, NoConfig, export_module};

pub use background::{AccountChanged, MembershipChanged};

use rulebook::Rulebook;

export_module!(Authz);

/// The module.
#[derive(Clone, Debug)]
pub struct Authz {
    ctx: Context,
    audit: Audit,
    book: Arc<Rulebook>,
}

impl Module for Authz {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        let book = Arc::new(Rulebook::new(&ctx)?);
        Ok(Self {
            audit: ctx.audit()?,
            ctx,
            book,
        })
    }

    async fn start(&self) -> Result<(), Error> {
        self.book.sync().await?;
        self.ctx.spawn(feed::follow(self.ctx.clone(), self.book.clone()));
        Ok(())
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        tables::entities()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        grpc::services(self)
    }

    fn events() -> Handlers<Self> {
        background::handlers()
    }

    async fn health(&self) -> Health {
        if self.book.is_current() {
            Health::serving()
        } else {
            Health::degraded("the rules could not be read from the database lately")
        }
    }
}
