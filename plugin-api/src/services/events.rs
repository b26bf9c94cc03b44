//! `events`: publishes events. What a module takes is its export `events`.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RResult, RString, RVec};

use crate::fault::Fault;
use crate::future::FfiFuture;

/// An event to be published, owned by the host from then on. The host adds id, source and time. Empty texts are left out.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct NewEvent {
    /// Subject, such as `blog.post.published.v1`; listed under `[events] publishes` in the manifest.
    pub event_type: RString,
    /// Media type of `data`, such as `application/json`.
    pub content_type: RString,
    /// The data: JSON text when the media type says so, else bytes.
    pub data: RVec<u8>,
    /// Events of one key are handled in the order in which they were published.
    pub key: RString,
    /// Whose event it is, where there are tenants.
    pub tenant: RString,
    /// W3C trace context of whoever publishes.
    pub traceparent: RString,
    /// Id that everything has in common which comes of one cause.
    pub correlation: RString,
    /// Id of the event this one comes of.
    pub causation: RString,
}

/// The service.
#[sabi_trait]
pub trait Events: Send + Sync + Clone + 'static {
    /// Publishes, and gives the event's id. `tx` is a handle of the core service `database`: the event is published when that
    /// transaction commits, or never. With 0 it is durable when the future is ready. `UNDECLARED` when the manifest does not
    /// list the subject, `INVALID` for data that is not what its media type says, `NOT_FOUND` for a transaction that is not
    /// the caller's, `UNAVAILABLE` when the database does not answer.
    fn publish(&self, event: NewEvent, tx: u64) -> FfiFuture<RString>;

    /// Gives the event to handlers that run on this node at this moment, once, and forgets it: it may be lost. Never blocks.
    /// Faults as in [`Events::publish`]; `BUSY` when too many are under way.
    #[sabi(last_prefix_field)]
    fn publish_transient(&self, event: NewEvent) -> RResult<RString, Fault>;
}

/// The service object.
pub type EventsRef = Events_TO<RArc<()>>;
