//! Work that must not be lost: deliveries of events, jobs, mail. One engine, with its tables in the module's own space.
//!
//! Whoever has work calls [`Queue::put`], in a transaction or without one, and it is there when that commits. A
//! [`Lane`] leases items in batches, gives them to a [`Work`], renews the lease while that runs, and then deletes,
//! keeps, retries or buries each. What a process that died had leased is taken over when its lease ends, or at once when
//! the same node comes back. Every ending is fenced by the lease, so whoever lost it ends nothing.
//!
//! In reading order: `item` (what is kept), `schema` (the tables), `store` (the statements), `lane` (the loop), `queues`
//! (the queues of all modules, and waking), `watched` (who wakes when a transaction commits), `look` (for operators).
//!
//! ```text
//! let queue = queues.of("blog").await?;                             // the tables are there from then on
//! queue.put(On::Tx(tx), Kind::MAIL, &[NewItem::new("welcome", bytes)]).await?; // commits with the caller's rows
//! let lane = Lane::start(queue, LaneSettings::new(Kind::MAIL, "welcome"), Arc::new(sender));
//! lane.drain(Duration::from_secs(10)).await;                        // leases nothing new, hands over what is left
//! ```

mod backoff;
mod item;
mod lane;
mod look;
mod queues;
mod schema;
mod sql;
mod store;
mod watched;

#[cfg(test)]
pub(crate) mod contract;

pub use backoff::Backoff;
pub use item::{Attempt, Item, Kind, NewItem, State, TRACEPARENT, Verdict};
pub use lane::{Lane, LaneSettings, Work, WorkFuture};
pub use look::{Filter, LaneCount};
pub use queues::Queues;
pub(crate) use schema::try_lock;
pub(crate) use sql::{Open, placeholders};
pub use store::Queue;
pub use watched::WatchedDatabases;
