//! `secrets`: values for the module whose manifest names them.

use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RStr, RVec};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::secrets::{Secrets, Secrets_TO, SecretsRef};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::entered::Entered;
use super::{Inner, stopped};
use crate::ports::traces::SpanKind;

#[derive(Clone)]
struct Own(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> SecretsRef {
    Secrets_TO::from_ptr(RArc::new(Own(inner.clone())), TD_Opaque)
}

impl Secrets for Own {
    fn get(&self, name: RStr<'_>) -> FfiFuture<RVec<u8>> {
        guard(|| {
            let inner = self.0.clone();
            let name = name.as_str().to_owned();
            // Without the name: which secrets there are is nobody's business.
            let span = inner.span(SpanKind::Client, "secrets get");
            FfiFuture::new(Entered::new(self.0.shared.runtime.clone(), async move {
                span.around(read(&inner, &name), |fault| fault.code.name()).await
            }))
        })
        .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}

async fn read(inner: &Inner, name: &str) -> Result<RVec<u8>, Fault> {
    let module = inner.standing.who.module.as_str();
    if inner.standing.is_retired() {
        return Err(stopped());
    }
    if !inner.manifest.secrets.names.iter().any(|known| known == name) {
        let message = format!("secret {name:?} is not declared; add it to `names` under [secrets] in wharf.toml");
        return Err(Fault::new(FaultCode::UNDECLARED, message));
    }
    match inner.shared.backends.secrets.read(module, name).await {
        _ if inner.standing.is_retired() => Err(stopped()),
        Ok(Some(value)) => Ok(RVec::from(value.reveal().to_vec())),
        Ok(None) => Err(Fault::new(
            FaultCode::NOT_FOUND,
            format!(
                "secret {name:?} has no value; `wharf secrets set {module} {name}` sets it, or {}",
                variable(module, name)
            ),
        )),
        Err(error) => Err(Fault::from_error(FaultCode::UNAVAILABLE, &error)),
    }
}

/// The environment variable of a secret.
fn variable(module: &str, name: &str) -> String {
    let part = |text: &str| text.replace('-', "_").to_ascii_uppercase();
    format!("WHARF_SECRET__{}__{}", part(module), part(name))
}
