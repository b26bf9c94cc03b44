//! What happens without a request: handlers of events, and jobs.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::{Error, Event, EventContext, Handlers, JobContext, Jobs, MailTemplates, Payload, tracing};

use crate::Visitors;

/// Somebody signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntrySigned {
    /// Number of the entry.
    pub entry: i64,
    /// Who.
    pub name: String,
}

impl Event for EntrySigned {
    const TYPE: &'static str = "visitors.entry.signed.v1";

    fn key(&self) -> Option<String> {
        Some(self.entry.to_string())
    }
}

/// Whose entries are to be removed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Forget {
    /// As in the column `guest`.
    pub guest: String,
}

impl Payload for Forget {}

pub(crate) fn handlers() -> Handlers<Visitors> {
    Handlers::new()
        .publishes::<EntrySigned>()
        .on::<EntrySigned>("count", Visitors::count)
        .on::<EntrySigned>("thank", Visitors::thank)
}

pub(crate) fn templates() -> MailTemplates {
    MailTemplates::new()
        .file("thanks.subject", include_str!("mails/thanks.subject"))
        .file("thanks.txt", include_str!("mails/thanks.txt"))
        .file("thanks.html", include_str!("mails/thanks.html"))
        .file("digest.subject", "{{ signed }} signed the guest book")
        .file("digest.txt", "So far {{ signed }} guests signed.\n")
}

pub(crate) fn jobs() -> Jobs<Visitors> {
    Jobs::new()
        .job("digest", Visitors::digest)
        .job_with::<Forget>("forget", Visitors::forget)
}

impl Visitors {
    /// Counts in the transaction of the delivery: however often the event comes, it counts once.
    async fn count(self: Arc<Self>, _: EntrySigned, ctx: EventContext) -> Result<(), Error> {
        self.book().count_one(&ctx.tx()?).await?;
        // Before the commit, so a reader may fill the cache with the old number once more; it is a minute old at most.
        self.book().forget_tally().await
    }

    /// The mail is queued in the transaction of the delivery: one mail for one event.
    async fn thank(self: Arc<Self>, signed: EntrySigned, ctx: EventContext) -> Result<(), Error> {
        self.book().thank(&ctx.tx()?, signed.entry).await
    }

    async fn digest(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        self.book().tell_owner().await
    }

    async fn forget(self: Arc<Self>, forget: Forget, _: JobContext) -> Result<(), Error> {
        let removed = self.book().forget(&forget.guest).await?;
        tracing::info!(removed, "a guest was forgotten");
        Ok(())
    }
}
