//! A guest book: a Wharf module that uses every core service.
//!
//! Guests sign over HTTP. The entry, the event that says so and the wish to thank the guest are one transaction; a handler
//! counts, another one thanks by mail, a job mails the owner a digest. In reading order: `entry` (the tables), `book` (what it
//! does), `http` (how it is reached), `background` (what it does by itself).

mod background;
mod book;
mod config;
mod entry;
mod http;

use std::sync::Arc;

use wharf_sdk::{Context, Error, Handlers, Health, Jobs, MailTemplates, Migrations, Module, Routes, entities, export_module};

pub use background::{EntrySigned, Forget};
pub use book::{Book, NewEntry};
pub use config::Config;
pub use entry::Model as Entry;

export_module!(Visitors);

/// The module.
#[derive(Clone)]
pub struct Visitors {
    book: Book,
}

impl Module for Visitors {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        Ok(Self {
            book: Book::open(&ctx, config).await?,
        })
    }

    fn migrations() -> Migrations {
        entry::migrations()
    }

    fn entities() -> wharf_sdk::services::database::Entities {
        entities![entry::Entity, entry::tally::Entity]
    }

    fn routes() -> Routes<Self> {
        http::routes()
    }

    fn templates() -> MailTemplates {
        background::templates()
    }

    fn events() -> Handlers<Self> {
        background::handlers()
    }

    fn jobs() -> Jobs<Self> {
        background::jobs()
    }

    async fn health(&self) -> Health {
        match self.book.signed().await {
            Ok(_) => Health::serving(),
            Err(error) => Health::degraded(format!("the tally cannot be read: {error}")),
        }
    }
}

impl Visitors {
    pub(crate) fn book(self: &Arc<Self>) -> &Book {
        &self.book
    }
}
