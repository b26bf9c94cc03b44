//! `http`, `http-body` and `bytes` types to and from the Wharf ABI, compiled into each side.
//!
//! Who may use it: the host and the SDK, nobody else. A call has a [`caller`] and a [`callee`]; host and module are each
//! both, since modules call modules through the host, so one piece of code serves both directions. Reading order:
//! [`context`] (what travels beside a request), [`caller`], [`callee`], then the parts: [`head`], [`body`], [`bytes`].

pub mod context;

pub mod callee;
pub mod caller;

pub mod body;
pub mod bytes;
pub mod head;
mod names;
mod shapes;

pub use body::Incoming;
pub use callee::{Serve, export};
pub use caller::{PendingCall, RemoteService, Started};
pub use context::{Context, Deadline, Received, View};
