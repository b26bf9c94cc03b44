//! What works with no host running: stages 1 to 5 of loading, keys and signatures. No module code runs.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wharf_host::config::Config;
use wharf_host::modules::control::{ControlError, Plan};

/// The public part of a key, as it stands in the configuration of hosts.
#[derive(Debug, Serialize)]
pub(super) struct PublicKey {
    pub(super) id: String,
    pub(super) public: String,
}

/// Stages 1 to 5 over the plugins folder.
pub(super) fn plan(_config: &Config) -> Result<Plan, ControlError> {
    Err(missing())
}

/// Stages 1 to 5 over the named files alone.
pub(super) fn check(_config: &Config, _files: &[PathBuf]) -> Result<Plan, ControlError> {
    Err(missing())
}

/// Makes a key and writes its private part to a new file of mode 0600.
pub(super) fn new_key(_id: &str, _file: &Path) -> Result<PublicKey, ControlError> {
    Err(missing())
}

/// Reads the public part of a key.
pub(super) fn read_key(_file: &Path) -> Result<PublicKey, ControlError> {
    Err(missing())
}

/// Signs a library; returns the path of the signature.
pub(super) fn sign(_library: &Path, _key: &Path, _config: &Config) -> Result<PathBuf, ControlError> {
    Err(missing())
}

fn missing() -> ControlError {
    ControlError {
        code: "internal.offline".to_owned(),
        message: "this build cannot inspect libraries without a running host".to_owned(),
        hint: "start a host with `wharf serve`".to_owned(),
        findings: Vec::new(),
    }
}
