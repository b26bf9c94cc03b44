//! Customers, plans, subscriptions, invoices and the ledger: `wharf.billing.v1`.

/// Version 1.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/wharf.billing.v1.rs");
}
