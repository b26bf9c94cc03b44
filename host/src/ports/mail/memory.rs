//! The in-memory form: keeps what was sent, for tests to look at.

use std::sync::{Arc, Mutex, PoisonError};

use super::{Mail, MailFuture, Mailer};

/// Mail that was sent, in memory. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct MemoryMailer(Arc<Mutex<Vec<Mail>>>);

impl MemoryMailer {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was sent, oldest first.
    #[must_use]
    pub fn sent(&self) -> Vec<Mail> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Mailer for MemoryMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> MailFuture<'a> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(mail.clone());
        Box::pin(async { Ok(()) })
    }
}
