//! The tables. Every row belongs to a tenant. Times are milliseconds since 1970, days are text such as `2026-01-31`, amounts are in the
//! smallest unit of their currency: the same on both databases, and in order.
#![allow(unreachable_pub, reason = "the derive makes public what stands beside it")]

mod migrations;

use wharf_sdk::Tenanted;
use wharf_sdk::entities;
use wharf_sdk::services::database::Entities;

pub(crate) use migrations::migrations;

/// Declares an entity without relations in a module of its own.
macro_rules! table {
    ($(#[$doc:meta])* $name:ident $table:literal { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        pub(crate) mod $name {
            use sea_orm::entity::prelude::*;

            /// One row.
            #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
            #[sea_orm(table_name = $table)]
            pub struct Model {
                /// Whose row it is.
                pub tenant: String,
                $($(#[$field_doc])* pub $field: $type,)*
            }

            /// There are none.
            #[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}

            /// Rows hold addresses and tokens, which belong in no log.
            impl std::fmt::Debug for Model {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str(concat!($table, "(..)"))
                }
            }
        }

        impl Tenanted for $name::Entity {
            const TENANT: $name::Column = $name::Column::Tenant;
        }
    };
}

table! {
    /// Who is billed.
    customer "customer" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        /// Subject of the account it belongs to, such as `user:ID`.
        owner: Option<String>,
        name: String,
        email: Option<String>,
        currency: String,
        /// Tax in hundredths of a percent; none: the one of the configuration.
        tax_bps: Option<i32>,
        version: i64,
        created: i64,
        updated: i64,
    }
}

table! {
    /// What can be subscribed to. Prices never change: a new price is a new plan.
    plan "plan" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        code: String,
        name: String,
        currency: String,
        price: i64,
        /// `month` or `year`.
        period: String,
        trial_days: i32,
        /// Meters as JSON.
        meters: String,
        is_active: bool,
        created: i64,
    }
}

table! {
    /// Who has subscribed to what.
    subscription "subscription" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        customer: String,
        /// As in the customer: what people may see is decided by it.
        owner: Option<String>,
        /// The plan it has now.
        plan: String,
        currency: String,
        period: String,
        status: String,
        /// The first day of its first period.
        anchor: String,
        trial_end: Option<String>,
        /// The first day on which it does not run any more.
        ends_on: Option<String>,
        /// `account` when it was paused because the account was, else `request`.
        paused_for: Option<String>,
        /// The first period that has no invoice yet, counted from 0.
        period_no: i32,
        /// The day on which that one has ended; none: nothing more is billed.
        next_due: Option<String>,
        version: i64,
        created: i64,
        updated: i64,
    }
}

table! {
    /// From a day on: which plan a subscription has, and whether it is charged.
    phase "phase" {
        #[sea_orm(primary_key, auto_increment = false)]
        subscription: String,
        #[sea_orm(primary_key, auto_increment = false)]
        from_day: String,
        plan: String,
        is_charged: bool,
    }
}

table! {
    /// What was used.
    usage_record "usage_record" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        subscription: String,
        /// What the sender calls it: the same twice is one.
        dedup: String,
        feature: String,
        quantity: i64,
        day: String,
        at: i64,
        /// The invoice run that has counted it: id of the invoice, or of the period that had nothing to bill.
        invoice: Option<String>,
    }
}

table! {
    /// Invoices.
    invoice "invoice" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        /// Without gaps in a tenant; drafts have none.
        number: Option<i64>,
        customer: String,
        owner: Option<String>,
        subscription: Option<String>,
        period_start: Option<String>,
        period_end: Option<String>,
        currency: String,
        subtotal: i64,
        tax_bps: i32,
        tax: i64,
        total: i64,
        /// What of it was given back.
        refunded: i64,
        state: String,
        due: Option<String>,
        issued: Option<i64>,
        version: i64,
        created: i64,
        updated: i64,
    }
}

table! {
    /// Lines of invoices.
    invoice_line "invoice_line" {
        #[sea_orm(primary_key, auto_increment = false)]
        invoice: String,
        #[sea_orm(primary_key, auto_increment = false)]
        position: i32,
        kind: String,
        description: String,
        quantity: i64,
        amount: i64,
        tax: i64,
        from_day: Option<String>,
        to_day: Option<String>,
    }
}

table! {
    /// Numbers without gaps: the last one that was given.
    sequence "sequence" {
        #[sea_orm(primary_key, auto_increment = false)]
        name: String,
        value: i64,
    }
}

table! {
    /// Payments: first what is wanted, then what came of it.
    payment "payment" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        invoice: String,
        owner: Option<String>,
        provider: String,
        currency: String,
        amount: i64,
        /// What was given back, or is on its way.
        refunded: i64,
        state: String,
        /// The token to charge; forgotten when it is settled.
        method: Option<String>,
        /// What the provider calls it.
        reference: Option<String>,
        failure: Option<String>,
        tries: i32,
        next_try: i64,
        created: i64,
        updated: i64,
    }
}

table! {
    /// Refunds.
    refund "refund" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        payment: String,
        invoice: String,
        owner: Option<String>,
        currency: String,
        amount: i64,
        reason: String,
        state: String,
        reference: Option<String>,
        failure: Option<String>,
        tries: i32,
        next_try: i64,
        created: i64,
        updated: i64,
    }
}

table! {
    /// The ledger. Rows are only ever added: triggers refuse anything else.
    ledger_entry "ledger_entry" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        /// What the entries of one transaction have in common.
        posting: String,
        kind: String,
        account: String,
        currency: String,
        /// Debits positive, credits negative.
        amount: i64,
        invoice: String,
        /// What it comes of: the invoice, payment or refund.
        source: String,
        at: i64,
    }
}

table! {
    /// Webhooks that were taken.
    webhook_receipt "webhook_receipt" {
        #[sea_orm(primary_key, auto_increment = false)]
        provider: String,
        #[sea_orm(primary_key, auto_increment = false)]
        event: String,
        /// The time that was signed, in seconds since 1970.
        signed: i64,
        kind: String,
        received: i64,
    }
}

table! {
    /// Invoice runs that somebody asked for.
    invoice_run "invoice_run" {
        #[sea_orm(primary_key, auto_increment = false)]
        id: String,
        through: String,
        state: String,
        /// Invoices it has written.
        issued: i64,
        created: i64,
        finished: Option<i64>,
    }
}

pub(crate) fn entities() -> Entities {
    entities![
        customer::Entity,
        plan::Entity,
        subscription::Entity,
        phase::Entity,
        usage_record::Entity,
        invoice::Entity,
        invoice_line::Entity,
        sequence::Entity,
        payment::Entity,
        refund::Entity,
        ledger_entry::Entity,
        webhook_receipt::Entity,
        invoice_run::Entity
    ]
}
