//! What works with no host running: stages 1 to 5 of loading, migrations, keys and signatures. Only the preview of migrations
//! runs code of modules.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use wharf_host::config::{Config, LoadOptions};
use wharf_host::domain::migration::MigrationRow;
use wharf_host::domain::status::Desired;
use wharf_host::host::offline;
use wharf_host::modules::control::{ControlError, Plan};
use wharf_host::modules::supervisor::Preview;
use wharf_host::modules::trust::{KeyPair, TrustError, sign_file};

use super::exit::told;
use crate::wiring;

/// The public part of a key, as it stands in the configuration of hosts.
#[derive(Debug, Serialize)]
pub(super) struct PublicKey {
    pub(super) id: String,
    pub(super) public: String,
}

/// Stages 1 to 5 over the plugins folder, beside what operators want. The state of the host is looked at, not changed.
pub(super) async fn plan(config: &Config) -> Result<Plan, ControlError> {
    let desired = desired(config).await?.unwrap_or_default();
    Ok(offline::plan(config, &desired))
}

/// What operators want; none when no host was ever here.
async fn desired(config: &Config) -> Result<Option<BTreeMap<String, Desired>>, ControlError> {
    match wiring::look_at_state(config).await.map_err(|e| unreadable(&e))? {
        Some(state) => state.all_desired().await.map(Some).map_err(|e| unreadable(&e)),
        None => Ok(None),
    }
}

/// Migrations that ran, as the databases of modules remember them.
pub(super) async fn remembered_migrations(config: &Config) -> Result<Vec<MigrationRow>, ControlError> {
    let databases = wiring::module_databases(config).map_err(|e| unreadable(&*e))?;
    offline::remembered(&*databases).await.map_err(|e| unreadable(&e))
}

/// What the builds that would run would do to their tables.
pub(super) async fn preview_migrations(config: &Config, load: &LoadOptions) -> Result<Preview, ControlError> {
    let databases = wiring::module_databases(config).map_err(|e| unreadable(&*e))?;
    let desired = desired(config).await?;
    let secrets = wiring::secrets_of(config, load, desired.is_some())
        .await
        .map_err(|e| unreadable(&*e))?;
    let asked = offline::Asked {
        linked: wiring::linked_modules(config),
        desired: desired.unwrap_or_default(),
        secrets,
        databases: &*databases,
    };
    offline::preview_migrations(config, asked).await
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

fn unreadable(error: &(dyn Error + 'static)) -> ControlError {
    ControlError {
        code: "internal.state".to_owned(),
        message: told(error),
        hint: "run this as the host's user, or name the configuration with --config".to_owned(),
        findings: Vec::new(),
    }
}

fn refused(error: &TrustError) -> ControlError {
    ControlError {
        code: "trust.key".to_owned(),
        message: told(error),
        hint: "`wharf keys new ID` makes a key, `wharf sign FILE --key KEY` signs with it".to_owned(),
        findings: Vec::new(),
    }
}
