//! What makes a library trusted: as operators write it, and as stage 2 judges by it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use semver::Version;
use serde::{Deserialize, Serialize};

/// Which libraries may be opened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TrustPolicy {
    /// What a library must bring. At run time it can only be tightened.
    pub mode: TrustMode,
    /// Keys whose signatures count.
    pub keys: Vec<TrustKey>,
    /// SHA-256 of accepted files, 64 hex digits each; used by `hashed`.
    pub hashes: BTreeSet<String>,
    /// Lowest version of a module that may run, by id.
    #[schemars(with = "BTreeMap<String, String>")]
    pub min_versions: BTreeMap<String, Version>,
}

/// What a library must bring to be opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrustMode {
    /// Nothing: for development only.
    Any,
    /// Its hash is listed in `hashes`.
    Hashed,
    /// A valid signature by one of `keys` in `NAME.so.sig`.
    #[default]
    Signed,
}

/// A key whose signatures count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrustKey {
    /// Name of the key, as `wharf keys new` printed it.
    pub id: String,
    /// Ed25519 public key in base64.
    pub public: String,
    /// It does not count before, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub not_before: Option<Timestamp>,
    /// It does not count from then on, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub expires: Option<Timestamp>,
    /// Nothing this key ever signed counts any more.
    #[serde(default)]
    pub revoked: bool,
}
