//! Configuration: file, environment and secret files become typed values that remember where they came from.
//!
//! Later wins: defaults, `--dev` defaults, `wharf-host.toml`, `WHARF_SECTION__KEY` and `WHARF_SECTION__KEY_FILE`
//! in the environment, options of the command line. Nothing is guessed: a key nobody knows is an error.

mod change;
mod environment;
mod error;
mod explain;
mod keys;
mod layers;
mod sections;
mod units;

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use change::{Change, Changes};
pub use error::{ConfigError, Problem};
pub use explain::Setting;
pub use layers::{LoadOptions, Override, is_module_id};
pub use sections::{
    Admin, Audit, BlobStoreKind, Blobs, Cache, Channel, ChannelMode, Cors, Database, Errors, Events, Frames, Headers, Http, Log, LogFormat,
    Mail, MailTransport, Management, Node, OnFailure, Otlp, OtlpProtocol, Plugins, Quarantine, RateClass, RateLimits, S3, Scheduler,
    Secrets, Security, Shutdown, Signals, SmtpProtection, SmtpServer, SpaceDurability, SpaceRoles, Spaces, Tls, Tracing,
};
pub use units::{ByteSize, Network, Period, PublicUrl, Secret};

/// Name of the file that is read from the working directory when nobody names another.
pub const DEFAULT_FILE: &str = "wharf-host.toml";

/// Everything the host can be told. Every key has a default, so an empty file is a whole configuration.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "wharf-host.toml")]
pub struct Config {
    /// Where the host keeps its own files: state, admin socket, private copies of libraries. Made with mode 0700.
    #[serde(default = "default_data_dir")]
    pub data_dir: PathBuf,
    /// This running host.
    #[serde(default)]
    pub node: Node,
    /// Where modules come from and what they must prove.
    #[serde(default)]
    pub plugins: Plugins,
    /// The public listener: HTTP/1.1, HTTP/2 and gRPC on one port.
    #[serde(default)]
    pub http: Http,
    /// The listener for metrics, readiness details and reflection.
    #[serde(default)]
    pub management: Management,
    /// The admin socket.
    #[serde(default)]
    pub admin: Admin,
    /// The log on standard output.
    #[serde(default)]
    pub log: Log,
    /// How modules call each other.
    #[serde(default)]
    pub channel: Channel,
    /// What happens on SIGTERM.
    #[serde(default)]
    pub shutdown: Shutdown,
    /// The host's own database.
    #[serde(default)]
    pub database: Database,
    /// Blobs of modules.
    #[serde(default)]
    pub blobs: Blobs,
    /// Mail of modules.
    #[serde(default)]
    pub mail: Mail,
    /// The cache of modules.
    #[serde(default)]
    pub cache: Cache,
    /// Events of modules.
    #[serde(default)]
    pub events: Events,
    /// Jobs of modules.
    #[serde(default)]
    pub scheduler: Scheduler,
    /// How nodes tell each other what all must know.
    #[serde(default)]
    pub signals: Signals,
    /// Secrets of modules.
    #[serde(default)]
    pub secrets: Secrets,
    /// Where reports of failures go, beside the log.
    #[serde(default)]
    pub errors: Errors,
    /// Traces of requests, events and jobs.
    #[serde(default)]
    pub tracing: Tracing,
    /// How callers are checked.
    #[serde(default)]
    pub security: Security,
    /// How often callers may call.
    #[serde(default)]
    pub rate_limits: RateLimits,
    /// What the host itself writes to the audit log.
    #[serde(default)]
    pub audit: Audit,
    /// One section a module, by id; checked against the schema in the module's manifest, not here.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Map<String, serde_json::Value>>")]
    pub modules: BTreeMap<String, serde_json::Value>,

    #[serde(skip)]
    #[schemars(skip)]
    settings: Vec<Setting>,
    #[serde(skip)]
    #[schemars(skip)]
    dev: bool,
}

impl Config {
    /// Reads every layer and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError`] with every problem that was found, each with its path, its source and a hint.
    pub fn load(options: &LoadOptions) -> Result<Self, ConfigError> {
        layers::load(options)
    }

    /// Every setting with its value (secrets as `***`) and where it came from, sorted by path.
    #[must_use]
    pub fn explain(&self) -> Vec<Setting> {
        if self.settings.is_empty() {
            explain::defaults_of(self)
        } else {
            self.settings.clone()
        }
    }

    /// JSON schema (draft 2020-12) of the file.
    #[must_use]
    pub fn schema() -> serde_json::Value {
        keys::schema()
    }

    /// What is different in `newer`: keys of the host, and ids of modules whose section changed.
    #[must_use]
    pub fn changes(&self, newer: &Self) -> Changes {
        change::between(self, newer)
    }

    /// What is in force once a running host has read `newer`: what counts only after a restart stays as it is.
    #[must_use]
    pub fn taking(&self, newer: &Self) -> Self {
        change::taking(self, newer)
    }

    /// Whether the `--dev` defaults are in force.
    #[must_use]
    pub fn is_dev(&self) -> bool {
        self.dev
    }

    /// The plugins folder: `plugins.dir`, or `plugins` in `data_dir`.
    #[must_use]
    pub fn plugins_dir(&self) -> PathBuf {
        self.plugins.dir.clone().unwrap_or_else(|| self.data_dir.join("plugins"))
    }

    /// The admin socket: `admin.socket`, or `admin/wharf.sock` in `data_dir`.
    #[must_use]
    pub fn admin_socket(&self) -> PathBuf {
        self.admin
            .socket
            .clone()
            .unwrap_or_else(|| self.data_dir.join("admin").join("wharf.sock"))
    }

    /// The host's database: `database.url`, or the SQLite file `host.sqlite` in `data_dir`.
    #[must_use]
    pub fn database_url(&self) -> Secret {
        match &self.database.url {
            Some(url) => url.clone(),
            None => Secret::new(format!("sqlite://{}", self.data_dir.join("host.sqlite").display())),
        }
    }

    /// The file with the master key: `secrets.master_key_file`, or `master.key` in `data_dir`.
    #[must_use]
    pub fn master_key_file(&self) -> PathBuf {
        self.secrets
            .master_key_file
            .clone()
            .unwrap_or_else(|| self.data_dir.join("master.key"))
    }

    /// The section of one module; an empty object when there is none.
    #[must_use]
    pub fn module(&self, id: &str) -> serde_json::Value {
        self.modules
            .get(id)
            .cloned()
            .unwrap_or_else(|| serde_json::Value::Object(serde_json::Map::new()))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: default_data_dir(),
            node: Node::default(),
            plugins: Plugins::default(),
            http: Http::default(),
            management: Management::default(),
            admin: Admin::default(),
            log: Log::default(),
            channel: Channel::default(),
            shutdown: Shutdown::default(),
            database: Database::default(),
            blobs: Blobs::default(),
            mail: Mail::default(),
            cache: Cache::default(),
            events: Events::default(),
            scheduler: Scheduler::default(),
            signals: Signals::default(),
            secrets: Secrets::default(),
            errors: Errors::default(),
            tracing: Tracing::default(),
            security: Security::default(),
            rate_limits: RateLimits::default(),
            audit: Audit::default(),
            modules: BTreeMap::new(),
            settings: Vec::new(),
            dev: false,
        }
    }
}

fn default_data_dir() -> PathBuf {
    PathBuf::from(".wharf")
}

#[cfg(test)]
mod tests;
