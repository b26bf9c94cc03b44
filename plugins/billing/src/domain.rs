//! The rules of billing: money, plans, periods, invoices, a ledger. Pure: nothing here knows a host, a database or the time.
//!
//! In reading order: [`money`] and [`rounding`], [`calendar`], [`plan`], [`subscription`], [`invoice`], [`settlement`], [`ledger`],
//! [`signature`].

pub(crate) mod calendar;
pub(crate) mod invoice;
pub(crate) mod ledger;
pub(crate) mod money;
pub(crate) mod plan;
pub(crate) mod rounding;
pub(crate) mod settlement;
pub(crate) mod signature;
pub(crate) mod subscription;

#[cfg(test)]
mod properties;
