//! `notifier`: mail in the name of a module.

use std::sync::{Arc, OnceLock};

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RResult, RString, RVec};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::object::Interface as _;
use wharf_plugin_api::services::notifier::{MailRequest, Notifier, Notifier_TO, NotifierRef, TemplateFile};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::entered::Entered;
use super::{Inner, stopped};
use crate::mail::{Draft, QueueError, Templates};
use crate::ports::database::On;

/// The templates of an instance.
pub(super) type Given = OnceLock<Templates>;

#[derive(Clone)]
struct Service(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> NotifierRef {
    Notifier_TO::from_ptr(RArc::new(Service(inner.clone())), TD_Opaque)
}

/// Makes the queue, which a transaction of the module would keep from being made later, and begins to send what an earlier
/// process has left in it.
pub(super) async fn prepare(inner: &Arc<Inner>) -> Result<(), Fault> {
    if !inner.manifest.services.contains_key(NotifierRef::NAME) {
        return Ok(());
    }
    let module = inner.standing.who.module.as_str();
    let started = inner.shared.work.mail.start(module).await;
    started.map(drop).map_err(|error| {
        Fault::new(
            FaultCode::UNAVAILABLE,
            format!("the queue of mails of {module} cannot be opened: {error}"),
        )
    })
}

impl Notifier for Service {
    fn templates(&self, files: RVec<TemplateFile>) -> RResult<(), Fault> {
        guard(|| {
            let files = files.into_iter().map(|file| (file.name.into_string(), file.text.into_string()));
            let templates = Templates::new(files).map_err(|error| Fault::new(FaultCode::INVALID, error.to_string()))?;
            let given = self.0.templates.set(templates);
            given.map_err(|_| Fault::new(FaultCode::INVALID, "the templates of this instance were given before"))
        })
        .unwrap_or_else(Err)
        .into()
    }

    fn send(&self, mail: MailRequest, tx: u64) -> FfiFuture<RString> {
        guard(|| self.queue(mail, tx))
            .unwrap_or_else(Err)
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}

impl Service {
    fn queue(&self, mail: MailRequest, tx: u64) -> Result<FfiFuture<RString>, Fault> {
        let inner = self.0.clone();
        if inner.standing.is_retired() {
            return Err(stopped());
        }
        let on = inner.resolve_tx_or_alone(tx)?.map_or(On::Pool, On::Tx);
        let (span, traceparent) = inner.leaves("queue mail", "");
        let span = span.with("messaging.system", "wharf").with("messaging.operation.type", "send");
        let draft = Draft {
            traceparent,
            template: mail.template.into_string(),
            locale: mail.locale.into_string(),
            to: mail.to.into_iter().map(RString::into_string).collect(),
            reply_to: mail.reply_to.into_string(),
            data: serde_json::from_str(&mail.data)
                .map_err(|error| Fault::new(FaultCode::INVALID, format!("the data of a mail is no JSON: {error}")))?,
        };
        let handle = inner.shared.runtime.clone();
        Ok(FfiFuture::new(Entered::new(handle, async move {
            let no_templates = || {
                let text = "this module has no mail templates; return them from Module::templates";
                Fault::new(FaultCode::INVALID, text)
            };
            let templates = inner.templates.get().ok_or_else(no_templates)?;
            let module = inner.standing.who.module.as_str();
            let queuing = inner.shared.work.mail.queue(module, on, templates, &draft);
            let queued = span.around(queuing, |error| fault(error).code.name()).await;
            queued.map(RString::from).map_err(|error| fault(&error))
        })))
    }
}

fn fault(error: &QueueError) -> Fault {
    let code = match error {
        QueueError::Template(_) | QueueError::Address { .. } => FaultCode::INVALID,
        QueueError::TooMany(_) => FaultCode::BUSY,
        QueueError::Database(error) => super::database_code(error),
    };
    Fault::new(code, error.to_string())
}
