//! Cache, signals, secrets and reports of failures.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{ByteSize, Period, Secret};

/// The cache of modules: in this process, or in Redis for all nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cache {
    /// `redis://HOST:PORT`, `rediss://`, `redis-cluster://` or `redis-sentinel://`. Default: in this process.
    pub url: Option<Secret>,
    /// What every key in Redis begins with, and the channel of signals. Installations that share a server need different ones.
    pub prefix: String,
    /// Most a module may keep in this process; what was used least goes first. Redis has a limit of its own.
    pub max_bytes_per_module: ByteSize,
    /// Longest value.
    pub max_value_bytes: ByteSize,
    /// How long Redis may take to answer. After that a read is a miss, and everything else fails.
    pub timeout: Period,
    /// Connections to Redis.
    pub connections: u32,
    /// Keeps what was read from Redis in this process too, up to so much; Redis tells when it changes. 0 B: it does not.
    pub near: ByteSize,
}

/// How nodes tell each other what all must know.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Signals {
    /// Wakes other nodes over this Redis, beside the host's database, which is asked twice a second in any case. PostgreSQL needs none.
    pub redis_url: Option<Secret>,
}

/// Secrets of modules.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Secrets {
    /// Folder with one file a secret: `DIR/MODULE/NAME`, of mode 0600 or 0400. Default: none.
    pub dir: Option<PathBuf>,
    /// File with the master key that seals secrets in the host's database; `WHARF_MASTER_KEY_FILE` says it too. Default: `master.key` in `data_dir`, made at the first start.
    pub master_key_file: Option<PathBuf>,
}

/// Where reports of failures go, beside the log and a counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Errors {
    /// File that takes one JSON object a line. Default: none.
    pub file: Option<PathBuf>,
    /// At this size the file is put aside as `FILE.1` and a new one is begun.
    pub max_file_size: ByteSize,
    /// How many files that were put aside are kept.
    pub keep_files: u32,
    /// URL that takes reports as JSON by POST. Default: none.
    pub webhook: Option<Secret>,
    /// Equal reports of a module within this time go to the sinks once, the next with their number.
    pub group: Period,
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            url: None,
            prefix: "wharf".to_owned(),
            max_bytes_per_module: ByteSize::mib(64),
            max_value_bytes: ByteSize::mib(8),
            timeout: Period(std::time::Duration::from_millis(250)),
            connections: 4,
            near: ByteSize(0),
        }
    }
}

impl Default for Errors {
    fn default() -> Self {
        Self {
            file: None,
            max_file_size: ByteSize::mib(16),
            keep_files: 4,
            webhook: None,
            group: Period::secs(60),
        }
    }
}
