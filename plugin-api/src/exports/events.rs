//! `events`: what a module does with events, its own and those of others.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RString, RVec};

use crate::future::FfiFuture;

/// What a subscription sees that nobody had before. Unknown values read as [`StartFrom::NOW`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct StartFrom(pub u8);

impl StartFrom {
    /// Events published from now on.
    pub const NOW: Self = Self(0);
    /// First everything that is still kept.
    pub const START: Self = Self(1);
}

/// In which order events are handled. Unknown values read as [`Order::KEY`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order(pub u8);

impl Order {
    /// Those of one key in the order in which they were published.
    pub const KEY: Self = Self(0);
    /// Any.
    pub const NONE: Self = Self(1);
}

/// A subscription. Owned by the receiver.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Subscription {
    /// Unique in the module, and the same in every version of it: what is waiting is found under it.
    pub name: RString,
    /// Subject, listed under `[events] subscribes` in the manifest.
    pub event_type: RString,
    /// What it sees when it is new.
    pub from: StartFrom,
    /// In which order.
    pub order: Order,
    /// Deliveries under way at a time; 0: the host's default.
    pub concurrency: u32,
    /// Tries before an event goes to the dead letters; 0: the host's default.
    pub max_attempts: u32,
    /// Longest time for one try in milliseconds; 0: the host's default.
    pub timeout_ms: u64,
    /// JSON schema of the data it expects; may be empty.
    pub schema: RString,
}

/// The schema of an event that the module publishes. Owned by the receiver.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Published {
    /// Subject.
    pub event_type: RString,
    /// JSON schema of the data.
    pub schema: RString,
}

/// One try to deliver one event. Owned by the module.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct Delivery {
    /// Name of the subscription.
    pub subscription: RString,
    /// The event: CloudEvents 1.0 in its JSON form.
    pub envelope: RVec<u8>,
    /// Which try, counted from 1.
    pub attempt: u32,
    /// Tries there are.
    pub max_attempts: u32,
    /// Longest time for this try in milliseconds.
    pub timeout_ms: u64,
    /// Handle of a transaction of the core service `database`, open as long as the future lives. Whatever is done in it is
    /// committed together with the record that this event was handled. 0 when the module does not import `database`, and for
    /// events that may be lost.
    pub tx: u64,
}

/// The handlers.
#[sabi_trait]
pub trait EventHandlers: Send + Sync + Clone + 'static {
    /// All subscriptions. Called once, before `start`.
    fn subscriptions(&self) -> RVec<Subscription>;

    /// Schemas of what the module publishes. Called once, before `start`.
    fn published(&self) -> RVec<Published>;

    /// Handles one event. A fault is a failed try; with the code `INVALID` the event goes to the dead letters at once. Dropping
    /// the future ends the try.
    #[sabi(last_prefix_field)]
    fn handle(&self, delivery: Delivery) -> FfiFuture<()>;
}

/// The export. Owned by the host.
pub type EventsExport = EventHandlers_TO<RArc<()>>;
