//! What works with no host running: stages 1 to 5 of loading, keys and signatures. No module code runs.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use wharf_host::config::Config;
use wharf_host::host::offline;
use wharf_host::modules::control::{ControlError, Plan};
use wharf_host::modules::trust::{KeyPair, TrustError, sign_file};

/// The public part of a key, as it stands in the configuration of hosts.
#[derive(Debug, Serialize)]
pub(super) struct PublicKey {
    pub(super) id: String,
    pub(super) public: String,
}

/// Stages 1 to 5 over the plugins folder.
pub(super) fn plan(config: &Config) -> Plan {
    offline::plan(config)
}

/// Stages 1 to 4 over the named files alone.
pub(super) fn check(config: &Config, files: &[PathBuf]) -> Plan {
    offline::check(config, files)
}

/// Makes a key and writes its private part to a new file of mode 0600.
pub(super) fn new_key(id: &str, file: &Path) -> Result<PublicKey, ControlError> {
    let key = KeyPair::generate(id).map_err(|e| refused(&e))?;
    key.save(file).map_err(|e| refused(&e))?;
    Ok(public(&key))
}

/// Reads the public part of a key.
pub(super) fn read_key(file: &Path) -> Result<PublicKey, ControlError> {
    Ok(public(&KeyPair::load(file).map_err(|e| refused(&e))?))
}

/// Signs a library; returns the path of the signature.
pub(super) fn sign(library: &Path, key: &Path, config: &Config) -> Result<PathBuf, ControlError> {
    let key = KeyPair::load(key).map_err(|e| refused(&e))?;
    sign_file(library, &key, &offline::inspect_rules(config), Timestamp::now()).map_err(|e| refused(&e))
}

fn public(key: &KeyPair) -> PublicKey {
    let trusted = key.public();
    PublicKey {
        id: trusted.id,
        public: trusted.public,
    }
}

fn refused(error: &TrustError) -> ControlError {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message = format!("{message}: {cause}");
        source = cause.source();
    }
    ControlError {
        code: "trust.key".to_owned(),
        message,
        hint: "`wharf keys new ID` makes a key, `wharf sign FILE --key KEY` signs with it".to_owned(),
        findings: Vec::new(),
    }
}
