//! The events of other modules, and what each counts as. Their types are declared here, with the fields that are needed and no others.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::{Error, Event, EventContext, Handlers, Subscription, Tenant};

use crate::Analytics;
use crate::domain::{Dimension, MetricName, Record};
use crate::recorder::{Counted, EventId};

/// Declares the data of an event.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident $subject:literal { $($(#[$field:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub struct $name {
            $($(#[$field])* pub $key: $type,)*
        }

        impl Event for $name {
            const TYPE: &'static str = $subject;
        }
    };
}

event! {
    /// A post was published.
    PostPublished "blog.post.published.v1" {
        /// Who wrote it.
        author: String,
        /// Its tags.
        tags: Vec<String>,
        /// When.
        #[schemars(with = "String", extend("format" = "date-time"))]
        published_at: Timestamp,
    }
}

event! {
    /// A post was looked at.
    PostViewed "blog.post.viewed.v1" {
        /// Id of the post.
        post: String,
        /// When.
        #[schemars(with = "String", extend("format" = "date-time"))]
        at: Timestamp,
    }
}

event! {
    /// Somebody commented on a post.
    CommentAdded "blog.comment.added.v1" {
        /// Id of the post.
        post: String,
        /// Who.
        author: String,
        /// When.
        #[schemars(with = "String", extend("format" = "date-time"))]
        at: Timestamp,
    }
}

event! {
    /// An invoice was issued. It says no time: that of its envelope counts.
    InvoiceIssued "billing.invoice.issued.v1" {
        /// For what, in the smallest unit of the currency.
        total: i64,
        /// ISO 4217.
        currency: String,
    }
}

event! {
    /// A payment came in. It says no time: that of its envelope counts.
    PaymentSucceeded "billing.payment.succeeded.v1" {
        /// How much, in the smallest unit of the currency.
        amount: i64,
        /// ISO 4217.
        currency: String,
    }
}

event! {
    /// An account was made, changed or deleted. It says no time: that of its envelope counts.
    AccountChanged "identity.account.changed.v1" {
        /// `user` or `service`.
        kind: String,
        /// `active`, `invited` or `suspended`.
        status: String,
        /// Whether it is gone.
        deleted: bool,
    }
}

/// One thing to be counted: under which name, when, with which value, by what.
type Thing = (MetricName, Timestamp, i64, Vec<Option<Dimension>>);

/// Sums do not depend on order, so events need not wait for each other.
pub(crate) fn handlers() -> Handlers<Analytics> {
    let of = |name: &str| Subscription::named(name).unordered();
    Handlers::new()
        .on::<PostPublished>(of("count-posts"), Analytics::on_published)
        .on::<PostViewed>(of("count-views"), Analytics::on_viewed)
        .on::<CommentAdded>(of("count-comments"), Analytics::on_comment)
        .on::<InvoiceIssued>(of("count-invoices"), Analytics::on_invoice)
        .on::<PaymentSucceeded>(of("count-payments"), Analytics::on_payment)
        .on::<AccountChanged>(of("count-accounts"), Analytics::on_account)
}

impl Analytics {
    async fn on_published(self: Arc<Self>, event: PostPublished, ctx: EventContext) -> Result<(), Error> {
        let tags = event.tags.iter().map(|tag| Dimension::of_event("tag", tag));
        let by = std::iter::once(Dimension::of_event("author", &event.author)).chain(tags).collect();
        let thing = (MetricName::known("blog.post.published"), event.published_at, 1, by);
        self.take(&ctx, vec![thing]).await
    }

    async fn on_viewed(self: Arc<Self>, event: PostViewed, ctx: EventContext) -> Result<(), Error> {
        let by = vec![Dimension::of_event("post", &event.post)];
        self.take(&ctx, vec![(MetricName::known("blog.post.viewed"), event.at, 1, by)])
            .await
    }

    async fn on_comment(self: Arc<Self>, event: CommentAdded, ctx: EventContext) -> Result<(), Error> {
        let by = vec![
            Dimension::of_event("post", &event.post),
            Dimension::of_event("author", &event.author),
        ];
        self.take(&ctx, vec![(MetricName::known("blog.comment.added"), event.at, 1, by)])
            .await
    }

    async fn on_invoice(self: Arc<Self>, event: InvoiceIssued, ctx: EventContext) -> Result<(), Error> {
        let at = published(&ctx)?;
        let things = money("billing.invoice.issued", "billing.invoice", at, event.total, &event.currency);
        self.take(&ctx, things).await
    }

    async fn on_payment(self: Arc<Self>, event: PaymentSucceeded, ctx: EventContext) -> Result<(), Error> {
        let at = published(&ctx)?;
        let things = money("billing.payment.succeeded", "billing.payment", at, event.amount, &event.currency);
        self.take(&ctx, things).await
    }

    async fn on_account(self: Arc<Self>, event: AccountChanged, ctx: EventContext) -> Result<(), Error> {
        let at = published(&ctx)?;
        let status = if event.deleted { "deleted" } else { &event.status };
        let by = vec![Dimension::of_event("kind", &event.kind), Dimension::of_event("status", status)];
        self.take(&ctx, vec![(MetricName::known("identity.account.changed"), at, 1, by)])
            .await
    }

    /// Counts what an event says, in the transaction of its delivery. The inbox of the host keeps a delivery from counting twice, the id of
    /// the event a replay.
    async fn take(&self, ctx: &EventContext, things: Vec<Thing>) -> Result<(), Error> {
        let now = Timestamp::now().as_second();
        let published = published(ctx)?.as_second();
        let records = things
            .into_iter()
            .map(|(metric, at, value, by)| Record::of_event(metric, at.as_second(), value, by.into_iter(), now));
        let event = Counted {
            id: Some(EventId::of_event(&ctx.meta().id, published)),
            records: records.collect(),
        };
        self.recorder.count(&ctx.tx()?, &Tenant::of_event(ctx), &[event], now).await?;
        Ok(())
    }
}

/// How often, by currency; and how much, in a metric for each currency, since amounts of several do not add up to anything.
fn money(count: &'static str, amounts: &'static str, at: Timestamp, amount: i64, currency: &str) -> Vec<Thing> {
    let often = (MetricName::known(count), at, 1, vec![Dimension::of_event("currency", currency)]);
    let much = MetricName::amount(amounts, currency).map(|metric| (metric, at, amount, Vec::new()));
    if much.is_none() {
        tracing::warn!(
            metric = count,
            "an event has a currency that is not one of ISO 4217; its amount is not counted"
        );
    }
    std::iter::once(often).chain(much).collect()
}

/// When the event was published, as its envelope says.
fn published(ctx: &EventContext) -> Result<Timestamp, Error> {
    let time = &ctx.meta().time;
    let parsed = time.parse();
    parsed.map_err(|_| {
        format!(
            "found time {time:?} in the envelope of event {}, expected one as in RFC 3339",
            ctx.meta().id
        )
        .into()
    })
}
