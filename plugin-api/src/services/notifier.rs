//! `notifier`: mail of templates that the module ships, queued in its own space and sent from there.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RResult, RString, RVec};

use crate::fault::Fault;
use crate::future::FfiFuture;

/// A template. Owned by the host from then on.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct TemplateFile {
    /// `welcome.subject`, `welcome.txt`, `welcome.html`; with a locale `welcome.de.subject` and so on.
    pub name: RString,
    /// Its text, in the language of minijinja.
    pub text: RString,
}

/// A mail that is asked for. Owned by the host from then on.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct MailRequest {
    /// Name of the template: `welcome`.
    pub template: RString,
    /// Locale, such as `de-AT`; empty for none.
    pub locale: RString,
    /// Who gets it: `ada@example.org`, `Ada <ada@example.org>`.
    pub to: RVec<RString>,
    /// Where answers go; empty for nowhere else.
    pub reply_to: RString,
    /// What the template is filled with, as JSON.
    pub data: RString,
}

/// The service.
#[sabi_trait]
pub trait Notifier: Send + Sync + Clone + 'static {
    /// Gives the templates of the instance; the SDK does so before the module is made. `INVALID` says which cannot be read, and why.
    fn templates(&self, files: RVec<TemplateFile>) -> RResult<(), Fault>;

    /// Fills a template and queues the mail, and gives its id. `tx` is a handle of the core service `database`: the mail is
    /// queued when that transaction commits, or never. With 0 it is durable when the future is ready. It is sent later, at least
    /// once. `INVALID` for a template, data or address that cannot be, `BUSY` when the module queues too many, `NOT_FOUND` for a
    /// transaction that is not the caller's, `UNAVAILABLE` when the database does not answer, `STOPPED` after the end.
    #[sabi(last_prefix_field)]
    fn send(&self, mail: MailRequest, tx: u64) -> FfiFuture<RString>;
}

/// The service object.
pub type NotifierRef = Notifier_TO<RArc<()>>;
