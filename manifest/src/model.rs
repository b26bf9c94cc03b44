//! The embedded manifest: what a module says about itself before a line of it runs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};

use crate::abi::Abi;
use crate::grammar;

/// A manifest as it stands in the library: `wharf.toml` plus what the build knew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this form; [`crate::FORMAT`].
    pub format: u32,
    /// The ABI the module was built for.
    pub abi: Abi,
    /// Version of the SDK it was built with.
    pub sdk: String,
    /// Version of the compiler.
    pub rustc: String,
    /// Target triple.
    pub target: String,
    /// Panic strategy of the build.
    pub panic: Panic,
    /// `^[a-z][a-z0-9-]{0,39}$`.
    pub id: String,
    /// The module's own version.
    pub version: Version,
    /// One line for people.
    pub description: String,
    /// `Name <address>`, in the author's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub authors: Vec<String>,
    /// SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// Which runtime its futures expect.
    #[serde(default)]
    pub runtime: Runtime,
    /// Other modules it needs, by id.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub modules: BTreeMap<String, ModuleRequirement>,
    /// Core services it imports: name to major version.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<String, u32>,
    /// Its HTTP side.
    pub http: Http,
    /// Its gRPC side; the descriptor set stands beside the JSON in the section.
    #[serde(default)]
    pub grpc: Grpc,
    /// Permissions it defines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<Permission>,
    /// Events it publishes and takes.
    #[serde(default)]
    pub events: Events,
    /// Jobs it offers to the scheduler.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<Job>,
    /// What it keeps in the cache.
    #[serde(default, skip_serializing_if = "Cache::is_default")]
    pub cache: Cache,
    /// Secrets it may read.
    #[serde(default, skip_serializing_if = "Secrets::is_empty")]
    pub secrets: Secrets,
    /// JSON schema of its config section; none when it takes no configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_schema: Option<serde_json::Value>,
}

/// What happens in the module's build when it panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Panic {
    /// Caught at the entry point; the call fails.
    Unwind,
    /// The process ends; the host refuses such modules.
    Abort,
}

/// Which runtime a module's futures expect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Runtime {
    /// A small tokio runtime of the module's own, entered in every entry point.
    #[default]
    Tokio,
    /// None: sleep and spawn come from the host.
    None,
}

impl Manifest {
    /// Permissions of other modules that it asks for, to call them in its own name.
    #[must_use]
    pub fn asks(&self) -> Vec<String> {
        self.modules
            .values()
            .flat_map(|required| required.permissions.iter().cloned())
            .collect()
    }
}

/// What is asked of another module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ModuleRequirement {
    /// Range of versions that will do.
    #[schemars(with = "String")]
    pub version: VersionReq,
    /// Whether the module runs without it.
    #[serde(default)]
    pub optional: bool,
    /// Permissions of it that the module needs when it calls in its own name; `*` stands for any text. Whoever lets the module
    /// run grants them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub permissions: Vec<String>,
}

/// The HTTP side of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// What all its paths begin with, such as `/greeter`.
    pub prefix: String,
}

/// The gRPC side of a module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// Full names, such as `greeter.v1.Greeter`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<String>,
}

/// A permission the module defines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// Dotted, begins with the module's id: `greeter.greeting.write`.
    pub name: String,
    /// One line for whoever grants it.
    pub description: String,
    /// Whether it reaches beyond the tenant of whoever holds it: then only rules for all tenants (`*`) give it, so that the
    /// administrator of one tenant does not hold it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub installation: bool,
}

/// Event subjects, both ways.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Events {
    /// Subjects it publishes; each begins with the module's id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publishes: Vec<String>,
    /// Subjects it takes, of its own or of others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subscribes: Vec<String>,
}

/// What a module keeps in the cache.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    /// Version of its values: a build that writes what another one cannot read raises it, and then both have keys of their own.
    #[serde(default = "first_version")]
    pub version: u32,
}

/// Secrets a module may read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Secrets {
    /// Their names, such as `stripe-key`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
}

/// A job the module offers to the scheduler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Unique in the module.
    pub name: String,
    /// One line for operators.
    pub description: String,
    /// Five cron fields; none for a job that runs only when asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// IANA zone the schedule is meant in, such as `Europe/Berlin`; UTC when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// What becomes of runs whose time passed while no host ran.
    #[serde(default, skip_serializing_if = "is_default")]
    pub missed: Missed,
    /// What happens when it is time and the run before has not ended.
    #[serde(default, skip_serializing_if = "is_default")]
    pub overlap: Overlap,
    /// Longest time for one try, such as `30s`, `5m` or `2h`; ten minutes when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Tries before a run is given up; 3 when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
    /// How long a run may go on when its instance is replaced or stopped, such as `30s`; then it is handed over. The host's
    /// drain time when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain: Option<String>,
}

/// What becomes of runs whose time passed while no host ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Missed {
    /// Nothing: the next time is the next time.
    Skip,
    /// The last of them is run.
    #[default]
    RunOnce,
    /// Each is run, the oldest first.
    RunAll,
}

/// What happens when it is time and the run before has not ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overlap {
    /// The new run is left out.
    #[default]
    Skip,
    /// The new run waits for the one before.
    Queue,
    /// Both run.
    Allow,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// A time as manifests write it: a whole number and `ms`, `s`, `m` or `h`. None when it is not one.
#[must_use]
pub fn parse_time(text: &str) -> Option<std::time::Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let milliseconds = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(milliseconds).map(std::time::Duration::from_millis)
}

impl Default for Cache {
    fn default() -> Self {
        Self { version: 1 }
    }
}

impl Cache {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Secrets {
    fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

fn first_version() -> u32 {
    1
}

impl Manifest {
    /// Name of the symbol the library exports: `wharf_root_v1_` and the id with `_` for `-`.
    #[must_use]
    pub fn root_symbol(&self) -> String {
        grammar::root_symbol(&self.id)
    }
}
