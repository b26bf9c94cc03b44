//! What the admin API and the command line may ask of a running host.

use std::future::Future;
use std::pin::Pin;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::finding::Finding;
use crate::domain::migration::MigrationRow;
use crate::domain::route::{Lane, Policy};
use crate::domain::status::{HostStatus, ModuleStatus};
use crate::ports::database::SpaceStatus;

/// A boxed future, so that the trait can be an object.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, ControlError>> + Send + 'a>>;

/// Why a request to the host was refused or failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message}")]
pub struct ControlError {
    /// Stable, dotted: `module.unknown`, `module.needed`, `module.static`, `reload.refused`, `internal`.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// Findings of the loading stages, if the cause is there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// What would happen if the folder were loaded now. No module code runs to find out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// Modules that would load, in start order.
    pub order: Vec<PlannedModule>,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

/// One line of a [`Plan`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedModule {
    /// Module id.
    pub id: String,
    /// Version in the file.
    pub version: String,
    /// The file; none when linked in.
    pub file: Option<String>,
    /// SHA-256 of the file, hex.
    pub hash: Option<String>,
    /// `load`, `replace`, `keep`, `skip` (disabled or not enabled yet), `stop` or `refuse`.
    pub action: String,
    /// Why, where `action` needs a reason.
    pub reason: Option<String>,
    /// Permissions of other modules that it asks for: whoever lets it run grants them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
}

/// One row of `wharf routes`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RouteRow {
    /// Module that serves it.
    pub module: String,
    /// HTTP or gRPC.
    pub lane: Lane,
    /// Method, `*` for all; `POST` for gRPC.
    pub method: String,
    /// Full path template, with the prefix.
    pub path: String,
    /// Who may call it.
    pub policy: Policy,
    /// Whoever may not is answered as if there were no such route.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// Which builds of a module may be loaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PinnedBuild {
    /// Only this version.
    pub version: Option<String>,
    /// Only a file with this SHA-256, 64 hex digits.
    pub hash: Option<String>,
}

/// A running host, as its operators see it.
pub trait Control: Send + Sync + 'static {
    /// Status of the node and of every module.
    fn status(&self) -> Answer<'_, HostStatus>;
    /// Status of one module; `module.unknown` when there is none.
    fn module<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus>;
    /// Stages 1 to 5 over the plugins folder, together with what runs now.
    fn plan(&self) -> Answer<'_, Plan>;
    /// Marks a module as wanted and loads it.
    fn enable<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus>;
    /// Marks a module as unwanted, drains and stops it. `module.needed` unless `force` when others require it.
    fn disable<'a>(&'a self, id: &'a str, force: bool) -> Answer<'a, ModuleStatus>;
    /// Lets only these builds of a module be loaded from now on; what runs goes on. An empty [`PinnedBuild`] lets any.
    fn pin<'a>(&'a self, id: &'a str, pin: PinnedBuild) -> Answer<'a, ModuleStatus>;
    /// Loads the file that is in the folder now beside the running build and swaps.
    fn reload<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus>;
    /// Looks at the folder again; loads what is new, replaces what changed.
    fn rescan(&self) -> Answer<'_, Plan>;
    /// All migrations of the modules that run.
    fn migrations(&self) -> Answer<'_, Vec<MigrationRow>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Runs the migrations that are due, of one module or of all that run.
    fn migrate<'a>(&'a self, module: Option<&'a str>) -> Answer<'a, Vec<MigrationRow>> {
        let _ = module;
        self.migrations()
    }
    /// All routes that are served now.
    fn routes(&self) -> Answer<'_, Vec<RouteRow>>;
    /// Database spaces that modules have used.
    fn databases(&self) -> Answer<'_, Vec<SpaceStatus>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    /// Sets log levels at run time, such as `info,blog=debug`. Returns the directives now in force.
    fn set_log<'a>(&'a self, directives: &'a str) -> Answer<'a, String>;
}
