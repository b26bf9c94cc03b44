//! The admin API: HTTP and JSON on a Unix socket.
//!
//! Whoever can open the socket can do everything with the host, so the folder is 0700, the socket 0600, and the peer
//! must be this user or root.

mod mail;
mod problem;
mod router;
mod socket;

pub use mail::mail_router;
pub use problem::Problem;
pub use router::{AdminParts, LogDirectives, router};
pub use socket::{AdminSocket, SocketError, serve_admin};

#[cfg(test)]
mod tests;
