//! Mail of modules: made of a template the module ships, kept in the queue of its own space, and sent from there.
//!
//! A mail that was queued in a committed transaction is sent at least once, whatever is killed. When the process dies between
//! the server's answer and the note of it, it is sent again with the same Message-ID, by which mail programs know the copy.

mod hub;
mod rate;
mod template;

pub use hub::{MailHub, MailRow, MailSettings, QueueError};
pub use template::{Draft, Rendered, TemplateError, Templates};
