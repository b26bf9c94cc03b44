//! Carries events from the node that relays them to the nodes that keep their deliveries. Without one, the relay writes the
//! deliveries itself: then the database is the transport.
//!
//! A transport keeps nothing for good and runs no handler: what it brings is written into the subscriber's space, then
//! acknowledged.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// A boxed future, so that the traits can be objects.
pub type TransportFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// An event on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Id of the event.
    pub id: String,
    /// Subject.
    pub event_type: String,
    /// The envelope.
    pub envelope: Vec<u8>,
}

/// To whom events of a subject go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// Module.
    pub module: String,
    /// Its subscription.
    pub subscription: String,
    /// Subject.
    pub event_type: String,
}

/// Why the broker did not do it.
#[derive(Debug, thiserror::Error)]
#[error("the broker cannot {doing}")]
pub struct TransportError {
    /// What was tried.
    pub doing: &'static str,
    /// Why it failed.
    #[source]
    pub source: Box<dyn Error + Send + Sync>,
}

/// What became of what was brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is kept, durably.
    Kept,
    /// It cannot be kept now: bring it again later.
    Later,
    /// It is no event at all: put it aside.
    Undecodable,
}

/// Takes what a transport brings.
pub trait Intake: Send + Sync + 'static {
    /// Keeps an event for a subscription.
    fn take<'a>(&'a self, to: &'a Address, envelope: Vec<u8>) -> TransportFuture<'a, Taken>;
}

/// Brings events for a subscription until it is dropped.
pub trait Receiving: Send + Sync {}

/// A transport.
pub trait Transport: Send + Sync + 'static {
    /// Makes sure that events of a subject reach a subscription, also while nobody receives them.
    fn route<'a>(&'a self, to: &'a Address) -> TransportFuture<'a, Result<(), TransportError>>;

    /// Sends, in order. Gives how many of them, from the first on, are the broker's now; the others are to be sent again.
    fn send<'a>(&'a self, parcels: &'a [Parcel]) -> TransportFuture<'a, Result<usize, TransportError>>;

    /// Brings what is sent to a subscription, and goes on by itself after the broker was away.
    fn receive(&self, from: Address, intake: Arc<dyn Intake>) -> Box<dyn Receiving>;
}
