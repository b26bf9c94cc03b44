//! Users, groups, service accounts and tenants: a core module, linked into the host by default.
//!
//! In reading order: `tables`; `credentials` (what `auth` asks), `users`, `groups`, `services`, `tenants` (accounts and what is done
//! to them), `registration` (what people do with links), `pages` (the same in a browser). `grpc` only translates.

mod caller;
mod config;
mod credentials;
mod error;
mod groups;
mod grpc;
mod journal;
mod links;
mod pages;
mod password;
mod random;
mod registration;
mod rules;
mod services;
mod status;
mod tables;
mod tenants;
mod text;
mod throttle;
mod users;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::services::scheduler::Scheduler;
use wharf_sdk::{Context, Error, Grpc, Handlers, Jobs, MailTemplates, Migrations, Module, OpenApi, Routes, export_module};

pub use config::{Config, Links as LinkConfig, Lockout, Password};
pub use journal::{AccountChanged, MembershipChanged};

export_module!(Identity);

/// The module.
#[derive(Clone, Debug)]
pub struct Identity {
    db: Db,
    config: Config,
    passwords: password::Passwords,
    throttle: throttle::Throttle,
    links: links::Links,
    journal: journal::Journal,
    rules: rules::Rules,
    jobs: Scheduler,
}

impl Module for Identity {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        let db = ctx.db()?;
        Ok(Self {
            passwords: password::Passwords::new(&config.password)?,
            throttle: throttle::Throttle::new(db.clone(), config.lockout.clone()),
            links: links::Links::new(db.clone(), ctx.mail()?, config.clone()),
            journal: journal::Journal::new(&ctx)?,
            rules: rules::Rules::new(&ctx),
            jobs: ctx.jobs()?,
            db,
            config,
        })
    }

    fn routes() -> Routes<Self> {
        pages::routes()
    }

    fn openapi() -> OpenApi {
        pages::document()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        grpc::services(self)
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        tables::entities()
    }

    fn events() -> Handlers<Self> {
        journal::handlers()
    }

    fn jobs() -> Jobs<Self> {
        registration::jobs()
    }

    fn templates() -> MailTemplates {
        links::templates()
    }
}
