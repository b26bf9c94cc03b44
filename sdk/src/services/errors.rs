//! Reports of failures.

use wharf_plugin_api::abi_stable::std_types::RStr;
use wharf_plugin_api::services::errors::{ErrorReport, ErrorsRef};

/// Reports a failure once; the host logs it, counts it and passes it on.
#[derive(Clone)]
pub struct Errors(ErrorsRef);

impl Errors {
    pub(crate) fn new(service: ErrorsRef) -> Self {
        Self(service)
    }

    /// Reports an error with its sources. `kind` is stable and dotted, for grouping. Never put secrets into it.
    pub fn report(&self, kind: &str, error: &(dyn std::error::Error + 'static)) {
        let message = error.to_string();
        let mut chain = Vec::new();
        let mut next = error.source();
        while let Some(cause) = next {
            chain.push(cause.to_string());
            next = cause.source();
        }
        let lent: Vec<RStr<'_>> = chain.iter().map(|cause| RStr::from_str(cause)).collect();
        self.0.report(&ErrorReport {
            kind: kind.into(),
            message: message.as_str().into(),
            chain: lent.as_slice().into(),
            fields: [].as_slice().into(),
        });
    }
}

impl std::fmt::Debug for Errors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Errors")
    }
}
