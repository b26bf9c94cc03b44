//! Customers, plans, subscriptions, invoices, payments and a ledger that balances.
//!
//! In reading order: `domain` (the rules, which know nothing else), `tables`; `customers`, `plans`, `subscriptions`, `usage`;
//! `runs` and `invoices` (how what was used becomes owed), `payments`, `refunds`, `provider` and `webhooks` (how it is paid), `books`
//! (the ledger); `background` (jobs and events). `http` and `grpc` only translate.

mod access;
mod background;
mod books;
mod config;
mod customers;
mod domain;
mod error;
mod grpc;
mod http;
mod invoices;
mod journal;
mod mail;
mod page;
mod payments;
mod plans;
mod provider;
mod refunds;
mod runs;
mod subscriptions;
mod tables;
mod text;
mod usage;
mod views;
mod webhooks;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use sea_orm::{AccessMode, IsolationLevel, TransactionTrait};
use wharf_sdk::services::database::{Db, Entities, Tx};
use wharf_sdk::services::health::HealthChecks;
use wharf_sdk::services::mail::Mail;
use wharf_sdk::services::scheduler::Scheduler;
use wharf_sdk::services::secrets::Secrets;
use wharf_sdk::{Context, Error, Grpc, Handlers, Jobs, MailTemplates, Migrations, Module, OpenApi, Routes, export_module};

pub use background::{AccountChanged, PostPublished};
pub use config::{Config, ProviderName};
pub use journal::{InvoiceIssued, PaymentFailed, PaymentSucceeded, SubscriptionChanged};

use access::Access;
use journal::Journal;
use provider::PaymentProvider;

export_module!(Billing);

/// The module.
#[derive(Clone, Debug)]
pub struct Billing {
    db: Db,
    config: Config,
    access: Access,
    journal: Journal,
    jobs: Scheduler,
    mail: Mail,
    secrets: Secrets,
    health: HealthChecks,
    provider: Option<Arc<dyn PaymentProvider>>,
}

impl Module for Billing {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            access: Access::new(ctx.authz()?),
            journal: Journal::new(&ctx)?,
            jobs: ctx.jobs()?,
            mail: ctx.mail()?,
            secrets: ctx.secrets()?,
            health: ctx.health()?,
            provider: provider::of(config.provider),
            config,
        })
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

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        tables::entities()
    }

    fn events() -> Handlers<Self> {
        background::handlers()
    }

    fn jobs() -> Jobs<Self> {
        background::jobs()
    }

    fn templates() -> MailTemplates {
        mail::templates()
    }
}

impl Billing {
    /// The payment provider of the configuration.
    fn provider(&self) -> error::Result<&Arc<dyn PaymentProvider>> {
        let none = || {
            error::Error::state(
                "no-provider",
                "no payments are taken here: `provider` is not set in [modules.billing]",
            )
        };
        self.provider.as_ref().ok_or_else(none)
    }

    /// The provider that a payment was made with, if it is still there.
    fn provider_named(&self, name: &str) -> error::Result<&Arc<dyn PaymentProvider>> {
        let provider = self.provider()?;
        if provider.name() == name {
            return Ok(provider);
        }
        let text = format!(
            "found a payment of provider {name:?}, expected the one that is configured, {:?}",
            provider.name()
        );
        Err(error::Error::state("no-provider", text))
    }

    /// A transaction that only reads, and sees one state of everything.
    async fn snapshot(&self) -> error::Result<Tx> {
        let isolation = Some(IsolationLevel::RepeatableRead);
        Ok(self.db.begin_with_config(isolation, Some(AccessMode::ReadOnly)).await?)
    }
}
