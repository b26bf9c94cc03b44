//! Mail of templates that the module ships.

use std::future::{Future, IntoFuture};
use std::pin::Pin;

use serde::Serialize;
use wharf_plugin_api::abi_stable::std_types::{RString, RVec};
use wharf_plugin_api::services::notifier::{MailRequest, NotifierRef, TemplateFile};
use wharf_plugin_api::{Fault, FaultCode};

use super::InTransaction;

/// Sends mail.
#[derive(Clone)]
pub struct Mail(NotifierRef);

/// The mail templates of a module: `NAME.subject`, `NAME.txt`, perhaps `NAME.html`, and with a locale `NAME.de.subject`.
///
/// ```
/// use wharf_sdk::MailTemplates;
///
/// let templates = MailTemplates::new()
///     .file("welcome.subject", "Welcome, {{ name }}") // or include_str!("../mails/welcome.subject")
///     .file("welcome.txt", "Hello {{ name }}!\n");
/// # drop(templates);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct MailTemplates(Vec<TemplateFile>);

/// A mail that is about to be queued: await it.
#[must_use = "nothing is queued unless this is awaited"]
pub struct Letter {
    service: NotifierRef,
    request: MailRequest,
    data: Result<String, String>,
    tx: u64,
}

impl Mail {
    pub(crate) fn new(service: NotifierRef) -> Self {
        Self(service)
    }

    /// A mail of a template, to one address: `ada@example.org` or `Ada <ada@example.org>`. It is queued when it is awaited, which
    /// gives its id, and sent later, at least once.
    ///
    /// # Errors
    /// `invalid` for a template, data or address that cannot be, `busy` when the module queues too many, `unavailable` when its
    /// database does not answer.
    pub fn send(&self, template: &str, to: &str, data: &impl Serialize) -> Letter {
        Letter {
            service: self.0.clone(),
            request: MailRequest {
                template: template.into(),
                locale: RString::new(),
                to: [RString::from(to)].into_iter().collect(),
                reply_to: RString::new(),
                data: RString::new(),
            },
            data: serde_json::to_string(data).map_err(|error| error.to_string()),
            tx: 0,
        }
    }
}

impl MailTemplates {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.0.push(TemplateFile {
            name: name.into(),
            text: text.into(),
        });
        self
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn into_files(self) -> RVec<TemplateFile> {
        self.0.into()
    }
}

impl Letter {
    /// Adds somebody who gets it. All of them see each other.
    pub fn and_to(mut self, to: &str) -> Self {
        self.request.to.push(to.into());
        self
    }

    /// In this locale, or a broader one, or none: `de-AT`, then `de`, then the template without a locale.
    pub fn locale(mut self, locale: &str) -> Self {
        self.request.locale = locale.into();
        self
    }

    /// Where answers go.
    pub fn reply_to(mut self, address: &str) -> Self {
        self.request.reply_to = address.into();
        self
    }

    /// When this transaction commits, or never.
    pub fn within(mut self, tx: &impl InTransaction) -> Self {
        self.tx = tx.handle();
        self
    }

    async fn queue(mut self) -> Result<String, Fault> {
        let data = self
            .data
            .map_err(|error| Fault::new(FaultCode::INVALID, format!("the data of a mail cannot be written as JSON: {error}")))?;
        self.request.data = data.into();
        self.service.send(self.request, self.tx).await.map(RString::into_string)
    }
}

impl IntoFuture for Letter {
    type Output = Result<String, Fault>;
    type IntoFuture = Pin<Box<dyn Future<Output = Result<String, Fault>> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.queue())
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mail")
    }
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Letter")
            .field("template", &self.request.template)
            .finish_non_exhaustive()
    }
}
