//! Sending of mail that is ready to go.

mod memory;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde::{Deserialize, Serialize};

pub use memory::MemoryMailer;

/// A boxed future, so that the trait can be an object. Dropping it leaves the mail sent or not.
pub type MailFuture<'a> = Pin<Box<dyn Future<Output = Result<(), MailError>> + Send + 'a>>;

/// A mail that is ready to go. Its addresses and texts were checked when it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Who it is from: `Name <name@example.org>`.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Where answers go, if not to `from`.
    pub reply_to: Option<String>,
    /// One line.
    pub subject: String,
    /// As text.
    pub text: String,
    /// As HTML.
    pub html: Option<String>,
    /// Without angle brackets; the same in every try, so that a second copy can be told.
    pub message_id: String,
    /// When it was made, milliseconds since the epoch.
    pub made_ms: i64,
}

/// Why a mail was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MailError {
    /// It will not be taken in a later try either.
    #[error("the mail server refuses the mail: {answer}")]
    Refused {
        /// What the server says.
        answer: String,
    },
    /// It may be taken later.
    #[error("the mail was not taken: {answer}")]
    Later {
        /// What the server says, or why it was not reached.
        answer: String,
        /// Why, where there is more to say.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
}

/// Sends mail.
pub trait Mailer: Send + Sync + fmt::Debug + 'static {
    /// Sends one. Ready when somebody else has taken it over, durably.
    fn send<'a>(&'a self, mail: &'a Mail) -> MailFuture<'a>;
}
