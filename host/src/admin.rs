//! The admin API: HTTP and JSON on a Unix socket.
//!
//! Whoever can open the socket can do everything with the host, so the folder is 0700, the socket 0600, and the peer
//! must be this user or root. The same routes can be served to callers from outside who hold their permissions
//! ([`remote_routes`]).

mod audit;
mod blobs;
mod call;
mod mail;
mod problem;
mod remote;
mod router;
mod socket;
mod traces;
mod work;

pub use audit::{AdminAudit, audited};
pub use blobs::{BlobsRow, blobs_router};
pub use call::call_router;
pub use mail::mail_router;
pub use problem::Problem;
pub use remote::{host_permissions, remote_routes};
pub use router::{AdminParts, LogDirectives, SecuritySource, router};
pub use socket::{AdminSocket, SocketError, serve_admin};
pub use traces::traces_router;
pub use work::{Asked, Changed, ReplayRequest, work_router};

#[cfg(test)]
mod tests;
