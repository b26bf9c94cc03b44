//! States and status: the one struct that CLI, HTTP and gRPC show.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a module is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// A file was seen.
    Discovered,
    /// Stages 1 to 4 held.
    Verified,
    /// Stage 5 held.
    Resolved,
    /// The library is open and its layout checked.
    Loaded,
    /// An instance was created and initialised.
    Initialized,
    /// It serves.
    Running,
    /// It finishes what is in flight and takes nothing new.
    Draining,
    /// It was stopped.
    Stopped,
    /// An operator switched it off.
    Disabled,
    /// It could not get as far as running.
    Failed,
    /// It panicked or hung too often and is kept from running.
    Quarantined,
}

/// How a module reached the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Linkage {
    /// Linked into the program.
    Static,
    /// Loaded from a shared library.
    Dynamic,
}

/// Something that happened to a module, newest last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// When.
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// `info`, `warn` or `error`.
    pub level: String,
    /// What, in a sentence.
    pub text: String,
}

/// What an operator wants of a module; kept in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Desired {
    /// `None` until someone decides: then `--dev` enables it and `serve` waits.
    pub enabled: Option<bool>,
    /// Only this version may run.
    pub pinned_version: Option<String>,
    /// Only a file with this SHA-256 (hex) may run.
    pub pinned_hash: Option<String>,
}

/// Everything there is to say about one module on this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModuleStatus {
    /// Id from the manifest.
    pub id: String,
    /// Version from the manifest.
    pub version: String,
    /// One line from the manifest.
    pub description: String,
    /// Where it is in its life.
    pub state: State,
    /// Since when.
    #[schemars(with = "String")]
    pub since: Timestamp,
    /// Linked in or loaded.
    pub linkage: Linkage,
    /// `in-process`; `process` and `remote` come later.
    pub placement: String,
    /// Which loaded build, counted from 1 over the whole process.
    pub generation: u64,
    /// Which instance, counted from 1 over the whole process.
    pub instance: u64,
    /// SHA-256 of the file, hex; none when linked in.
    pub hash: Option<String>,
    /// The file in the plugins folder; none when linked in.
    pub file: Option<String>,
    /// HTTP prefix, if it serves HTTP.
    pub prefix: Option<String>,
    /// gRPC services it serves.
    pub grpc_services: Vec<String>,
    /// Modules it requires.
    pub requires: Vec<String>,
    /// Permissions of other modules that it asks for, to call them in its own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
    /// Dependencies that are not running now: its calls to them get UNAVAILABLE.
    pub degraded: Vec<String>,
    /// `serving`, `not-serving` or `unknown`, as the module itself says.
    pub health: String,
    /// Calls since the instance started.
    pub calls: u64,
    /// Calls under way.
    pub in_flight: u64,
    /// Calls that failed in the module (5xx, panics, deadlines).
    pub errors: u64,
    /// Panics, counted over all instances.
    pub panics: u64,
    /// Private memory the last load of this module added to the process, in bytes, as measured.
    pub memory_bytes: Option<u64>,
    /// What an operator wants.
    pub desired: Desired,
    /// The last things that happened, oldest first.
    pub messages: Vec<Message>,
}

impl ModuleStatus {
    /// The last thing that went wrong, for a module that does not run because of it.
    #[must_use]
    pub fn why_failed(&self) -> Option<&str> {
        if !matches!(self.state, State::Failed | State::Quarantined) {
            return None;
        }
        let last = self.messages.iter().rev().find(|message| message.level == "error");
        last.map(|message| message.text.as_str())
    }
}

/// Everything there is to say about this node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HostStatus {
    /// Node name.
    pub node: String,
    /// Process id.
    pub pid: u32,
    /// Version of the host.
    pub version: String,
    /// ABI it speaks, such as `1.0`.
    pub abi: String,
    /// When it started.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// Whether it takes requests: false while starting and draining.
    pub ready: bool,
    /// Libraries opened since start; none is ever unmapped.
    pub generations_loaded: u64,
    /// pthread keys that are left; a load needs one or two.
    pub thread_keys_left: u64,
    /// Anonymous resident memory of the process in bytes.
    pub private_bytes: u64,
    /// Modules by id.
    pub modules: Vec<ModuleStatus>,
}
