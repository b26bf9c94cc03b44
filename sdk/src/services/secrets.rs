//! Secrets.

use std::fmt;

use wharf_plugin_api::Fault;
use wharf_plugin_api::FaultCode;
use wharf_plugin_api::abi_stable::std_types::RVec;
use wharf_plugin_api::services::secrets::SecretsRef;
use zeroize::Zeroize;

/// The secrets that `wharf.toml` names under `[secrets]`. Nobody else can read them, and this module can read no others.
#[derive(Clone)]
pub struct Secrets(SecretsRef);

/// The value of a secret. `Debug` hides it, and its memory is overwritten when it is dropped.
///
/// It has no `Display` and cannot be serialized: a secret is revealed in the one place that needs it.
pub struct Secret(RVec<u8>);

impl Secrets {
    pub(crate) fn new(service: SecretsRef) -> Self {
        Self(service)
    }

    /// The value as it is now. Ask when it is needed, and again after it was refused: an operator may have changed it.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` does not name it under `[secrets]`, `not-found` when nobody has set it, `unavailable` when
    /// it cannot be read now.
    pub async fn get(&self, name: &str) -> Result<Secret, Fault> {
        self.0.get(name.into()).await.map(Secret)
    }

    /// The same for a secret that need not be set.
    ///
    /// # Errors
    /// As [`Secrets::get`], without `not-found`.
    pub async fn find(&self, name: &str) -> Result<Option<Secret>, Fault> {
        match self.get(name).await {
            Ok(secret) => Ok(Some(secret)),
            Err(fault) if fault.code == FaultCode::NOT_FOUND => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

impl Secret {
    /// The bytes, for the one place that needs them.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// The same as text.
    ///
    /// # Errors
    /// `invalid` when it is none; the message does not show it.
    pub fn reveal_str(&self) -> Result<&str, Fault> {
        std::str::from_utf8(self.reveal())
            .map_err(|_| Fault::new(FaultCode::INVALID, "found a secret that is no UTF-8 text, expected text"))
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        self.0.as_mut_slice().zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}
