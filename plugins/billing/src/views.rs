//! What callers over HTTP are shown. Amounts are in the smallest unit of their currency, times RFC 3339 in UTC, days `2026-01-31`.

mod rows;

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::plans::{IntervalName, MeterPrice};

/// Names of states, as rows and answers have them.
macro_rules! names {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub(crate) enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            fn of(text: &str) -> Result<Self> {
                serde_json::from_value(text.into())
                    .map_err(|_| Error::Broken(format!(concat!("found ", stringify!($name), " {:?} in the database"), text)))
            }
        }
    };
}

names! {
    /// Where a subscription is in its life.
    SubscriptionStatus {
        /// It costs nothing yet.
        Trialing,
        /// It runs.
        Active,
        /// It runs, and an invoice of it is overdue.
        PastDue,
        /// It costs nothing until it is resumed.
        Paused,
        /// It has ended, or ends on the day of `ends_on`.
        Cancelled,
    }
}

names! {
    /// Where an invoice is in its life.
    InvoiceState {
        /// It has no number, and nobody owes it.
        Draft,
        /// It is owed.
        Open,
        /// It was paid.
        Paid,
        /// It was taken back.
        Void,
        /// It was written off.
        Uncollectible,
    }
}

names! {
    /// Where a payment or refund is.
    SettlementState {
        /// The provider has not said how it ended.
        Pending,
        /// The money has moved.
        Succeeded,
        /// It has not, and will not.
        Failed,
    }
}

names! {
    /// What a line is for.
    LineKindName {
        /// The price of a plan.
        Plan,
        /// What was used.
        Usage,
        /// Anything else.
        Item,
    }
}

names! {
    /// How far an invoice run is.
    RunState {
        /// It is under way, or waits for its turn.
        Running,
        /// Every period that had ended is billed.
        Finished,
    }
}

/// Who is billed.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct CustomerView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    /// Subject of the account it belongs to.
    pub(crate) owner: Option<String>,
    pub(crate) name: String,
    pub(crate) email: Option<String>,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    /// Tax in hundredths of a percent; none: the rate of the installation.
    pub(crate) tax_bps: Option<i32>,
    /// As in the ETag.
    pub(crate) version: i64,
    #[schema(format = "date-time")]
    pub(crate) created: String,
    #[schema(format = "date-time")]
    pub(crate) updated: String,
}

/// What can be subscribed to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PlanView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) name: String,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    pub(crate) price: i64,
    pub(crate) interval: IntervalName,
    pub(crate) trial_days: i32,
    pub(crate) meters: Vec<MeterPrice>,
    /// Whether it can be subscribed to.
    pub(crate) is_active: bool,
    #[schema(format = "date-time")]
    pub(crate) created: String,
}

/// Who has subscribed to what.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SubscriptionView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    #[schema(format = "uuid")]
    pub(crate) customer: String,
    /// The plan it has now.
    #[schema(format = "uuid")]
    pub(crate) plan: String,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    pub(crate) interval: IntervalName,
    pub(crate) status: SubscriptionStatus,
    /// The first day of the first period, from which all others are counted.
    #[schema(format = "date")]
    pub(crate) anchor: String,
    #[schema(format = "date")]
    pub(crate) trial_end: Option<String>,
    /// The first day on which it does not run any more.
    #[schema(format = "date")]
    pub(crate) ends_on: Option<String>,
    /// The day from which on its next invoice is written.
    #[schema(format = "date")]
    pub(crate) next_invoice: Option<String>,
    #[schema(format = "date-time")]
    pub(crate) created: String,
    #[schema(format = "date-time")]
    pub(crate) updated: String,
}

/// An invoice.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct InvoiceView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    /// Without gaps in a tenant; drafts have none.
    pub(crate) number: Option<i64>,
    #[schema(format = "uuid")]
    pub(crate) customer: String,
    #[schema(format = "uuid")]
    pub(crate) subscription: Option<String>,
    /// The first day of the period it is for.
    #[schema(format = "date")]
    pub(crate) period_start: Option<String>,
    /// The first day after it.
    #[schema(format = "date")]
    pub(crate) period_end: Option<String>,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    pub(crate) subtotal: i64,
    /// Tax in hundredths of a percent.
    pub(crate) tax_bps: i32,
    pub(crate) tax: i64,
    pub(crate) total: i64,
    /// What of it was given back.
    pub(crate) refunded: i64,
    pub(crate) state: InvoiceState,
    #[schema(format = "date")]
    pub(crate) due: Option<String>,
    #[schema(format = "date-time")]
    pub(crate) issued: Option<String>,
    #[schema(format = "date-time")]
    pub(crate) created: String,
}

/// An invoice with its lines.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct InvoiceDetail {
    pub(crate) invoice: InvoiceView,
    pub(crate) lines: Vec<LineView>,
}

/// One line.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    pub(crate) kind: LineKindName,
    pub(crate) description: String,
    /// Days, units or pieces.
    pub(crate) quantity: i64,
    /// Before tax.
    pub(crate) amount: i64,
    /// Its part of the tax.
    pub(crate) tax: i64,
    #[schema(format = "date")]
    pub(crate) from: Option<String>,
    #[schema(format = "date")]
    pub(crate) to: Option<String>,
}

/// A payment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct PaymentView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    #[schema(format = "uuid")]
    pub(crate) invoice: String,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    pub(crate) amount: i64,
    /// What was given back, or is on its way.
    pub(crate) refunded: i64,
    pub(crate) state: SettlementState,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    #[schema(format = "date-time")]
    pub(crate) created: String,
    #[schema(format = "date-time")]
    pub(crate) updated: String,
}

/// A refund.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RefundView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    #[schema(format = "uuid")]
    pub(crate) payment: String,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    pub(crate) amount: i64,
    pub(crate) reason: String,
    pub(crate) state: SettlementState,
    /// Why it failed.
    pub(crate) failure: Option<String>,
    #[schema(format = "date-time")]
    pub(crate) created: String,
}

/// One entry of the ledger.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct EntryView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    /// What the entries of one transaction have in common.
    #[schema(format = "uuid")]
    pub(crate) posting: String,
    /// `issue`, `payment`, `refund`, `void` or `write_off`.
    pub(crate) kind: String,
    pub(crate) account: String,
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    /// Debits positive, credits negative.
    pub(crate) amount: i64,
    #[schema(format = "uuid")]
    pub(crate) invoice: String,
    #[schema(format = "date-time")]
    pub(crate) at: String,
}

/// An invoice run.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RunView {
    #[schema(format = "uuid")]
    pub(crate) id: String,
    #[schema(format = "date")]
    pub(crate) through: String,
    pub(crate) state: RunState,
    /// Invoices it has written.
    pub(crate) issued: i64,
    #[schema(format = "date-time")]
    pub(crate) created: String,
    #[schema(format = "date-time")]
    pub(crate) finished: Option<String>,
}

/// What is shown of a row.
pub(crate) trait View<Row>: Sized {
    /// Fails for rows that make no sense.
    fn of(row: Row) -> Result<Self>;
}
