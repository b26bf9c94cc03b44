//! Customers, plans, subscriptions, invoices, payments and a ledger that balances.

use wharf_sdk::{Context, Error, Module, NoConfig, export_module};

export_module!(Billing);

/// The module.
#[derive(Clone, Debug)]
pub struct Billing;

impl Module for Billing {
    type Config = NoConfig;

    async fn init(_: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self)
    }
}
