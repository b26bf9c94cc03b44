//! The life of a module.

use std::future::Future;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use wharf_plugin_api::module::HealthState;
use wharf_plugin_api::root::Root_Ref;

use crate::context::Context;
use crate::events::Handlers;
use crate::grpc::Grpc;
use crate::jobs::Jobs;
use crate::migrations::Migrations;
use crate::openapi::OpenApi;
use crate::routes::Routes;
use crate::services::mail::MailTemplates;

/// Why a module could not be made, started or stopped: any error, with `?`.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A unit with a manifest, an id and a lifecycle.
///
/// `init` makes it, `start` begins its work, then it serves, `stop` ends it. Each of these may be cut at the host's
/// deadlines by dropping its future. A panic in any of them fails that step and leaves the host and the other modules alone.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is exported as a Wharf module and does not implement `Module`",
    label = "needs `impl wharf_sdk::Module for {Self}`",
    note = "the smallest one is in examples/hello-module: `type Config` and `async fn init`"
)]
pub trait Module: Send + Sync + Sized + 'static {
    /// The module's section of the host's configuration. [`NoConfig`] when it has none.
    type Config: DeserializeOwned + JsonSchema + Send + 'static;

    /// Makes an instance from its configuration. May be called several times in one process, with different configurations:
    /// keep state in `self`, never in statics.
    fn init(ctx: Context, config: Self::Config) -> impl Future<Output = Result<Self, Error>> + Send;

    /// HTTP routes, each with its policy. The module itself is their state: `State<Arc<Self>>`.
    fn routes() -> Routes<Self> {
        Routes::new()
    }

    /// What its HTTP routes take and give, for people and tools: see [`OpenApi`].
    fn openapi() -> OpenApi {
        OpenApi::none()
    }

    /// gRPC services; list them in `wharf.toml` under `[grpc]`.
    fn grpc(self: &std::sync::Arc<Self>) -> Grpc {
        Grpc::new()
    }

    /// How its tables come to be. The host runs what is new between `init` and `start`, on one node at a time.
    fn migrations() -> Migrations {
        Migrations::new()
    }

    /// The entities of its tables: `entities![post::Entity]`, so that values of their columns arrive with the types of the fields.
    #[cfg(feature = "database")]
    fn entities() -> crate::services::database::Entities {
        crate::services::database::Entities::new()
    }

    /// What it does with events; list the subjects in `wharf.toml` under `[events]`.
    fn events() -> Handlers<Self> {
        Handlers::new()
    }

    /// What it does when it is time, or when asked to; list the jobs in `wharf.toml` under `[[jobs]]`.
    fn jobs() -> Jobs<Self> {
        Jobs::new()
    }

    /// The templates of its mails. They are checked before it is made.
    fn templates() -> MailTemplates {
        MailTemplates::new()
    }

    /// Begins work. Routes are reachable once this is done.
    fn start(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// Ends work: flush what must not be lost. Also called after a `start` that failed half-way.
    fn stop(&self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }

    /// How it is. Asked after `start` and every few seconds; a new build that does not answer [`Health::serving`] or
    /// [`Health::degraded`] after its start is not swapped in.
    fn health(&self) -> impl Future<Output = Health> + Send {
        async { Health::serving() }
    }
}

/// How a module is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Health {
    pub(crate) state: HealthState,
    pub(crate) detail: String,
}

impl Health {
    /// It serves.
    pub fn serving() -> Self {
        Self {
            state: HealthState::SERVING,
            detail: String::new(),
        }
    }

    /// It serves, and something is wrong: say what.
    pub fn degraded(why: impl Into<String>) -> Self {
        Self {
            state: HealthState::DEGRADED,
            detail: why.into(),
        }
    }

    /// It cannot serve: say why.
    pub fn not_serving(why: impl Into<String>) -> Self {
        Self {
            state: HealthState::NOT_SERVING,
            detail: why.into(),
        }
    }
}

/// The configuration of a module that has none. Keys in its section are refused.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// A module that is linked into the program instead of loaded, made by `root()` of its crate.
#[derive(Clone, Copy)]
#[must_use]
pub struct StaticModule(Root_Ref);

impl StaticModule {
    #[doc(hidden)]
    pub fn new(root: Root_Ref) -> Self {
        Self(root)
    }

    /// What the host takes.
    #[doc(hidden)]
    #[must_use]
    pub fn into_root(self) -> Root_Ref {
        self.0
    }
}

impl From<StaticModule> for Root_Ref {
    fn from(module: StaticModule) -> Self {
        module.0
    }
}

impl std::fmt::Debug for StaticModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StaticModule")
    }
}
