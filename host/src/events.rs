//! Events: from the transaction they are published in to the transactions of everybody who handles them.
//!
//! Publishing writes a row into `wharf_outbox` of the publisher's space, in the caller's transaction. The relay of that
//! module (`relay`) reads what has committed and writes a delivery for each subscription into the queue of the
//! subscriber's space, over the database itself or over a broker; then it marks the row. A lane for each subscription
//! (`delivery`) leases deliveries, begins a transaction in the subscriber's space, lends it to the handler, and commits
//! what the handler did together with a row in `wharf_inbox`: an effect happens once, whatever is killed.
//!
//! In reading order: `envelope` (CloudEvents), `outbox` and `subscribers` (the tables), `relay`, `delivery`, `hub` (all of
//! it for one host), `look` (for operators).

mod delivery;
mod envelope;
mod hub;
mod look;
mod outbox;
mod relay;
mod subscribers;

pub(crate) use delivery::verdict_of;
pub use delivery::{Handles, HandlesFuture, Try};
pub use envelope::{EnvelopeError, Published};
pub(crate) use hub::EventLanes;
pub use hub::{EventHub, EventSettings, HubError};
pub use look::{DeliveryRow, EventRow, ReplayProgress, SchemaRow, SubscriptionRow};
pub use subscribers::Wanted;

/// Subject of audit records of modules: the data is the JSON of `wharf.audit.v1.Entry`. The import `audit` lets a module publish it.
pub const RECORDED: &str = "wharf.audit.recorded.v1";

/// Rings when a module's outbox has something to be relayed.
pub(crate) const RELAY: crate::queue::Kind = crate::queue::Kind("relay");
