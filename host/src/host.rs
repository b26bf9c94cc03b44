//! A host from its parts: what the binary, the `TestHost` and programs that embed Wharf have in common.

pub mod offline;

mod listen;
mod observe;
mod settings;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use wharf_plugin_api::root::Root_Ref;

use crate::admin::host_permissions;
use crate::config::Config;
use crate::domain::migration::MigrationRow;
use crate::domain::status::{HostStatus, ModuleStatus, State};
use crate::grpc::connect::Calls;
use crate::grpc::health::Health;
use crate::http::routes::Routes;
use crate::modules::control::{Answer, Control, ControlError, PinnedBuild, Plan, RouteRow};
use crate::modules::endpoint::CallInfo;
use crate::modules::mesh::Mesh;
use crate::modules::standing::Standing;
use crate::modules::supervisor::{Preview, Scope, Supervisor, SupervisorError};
use crate::ports::database::{Databases, SpaceStatus};
use crate::ports::state::StateStore;
use crate::ports::traces::{RecentTraces, SpanSink};
use crate::ports::transport::Transport;
use crate::security::record::Recorder;
use crate::security::sources::{Surroundings, Watching};
use crate::security::{CallTokens, RateLimits, Security, SourceStatus};
use crate::services::{Backends, ErrorSink, Shared, Spans, Work};
use crate::telemetry::{LogControl, LogSink, Metrics, ModuleEvent, ModuleLog, Tracer};

/// How often gRPC health is brought up to date.
const HEALTH_EVERY: Duration = Duration::from_millis(500);

/// What a host is made of.
pub struct HostParts {
    /// What it goes by.
    pub config: Config,
    /// Levels of the log.
    pub log: LogControl,
    /// The stream of the log.
    pub sink: LogSink,
    /// Its metrics.
    pub metrics: Metrics,
    /// What operators want, and what nodes report.
    pub state: Arc<dyn StateStore>,
    /// Modules that are linked into the program.
    pub linked: Vec<Root_Ref>,
    /// Where reports of failures go beside the log.
    pub error_sinks: Vec<Arc<dyn ErrorSink>>,
    /// Where spans go, beside the memory that `tracing.recent` asks for.
    pub span_sinks: Vec<Arc<dyn SpanSink>>,
    /// The outside systems behind the core services.
    pub backends: Backends,
    /// Carries events; without one the databases of the modules do.
    pub transport: Option<Arc<dyn Transport>>,
    /// Who lets calls in, and who says what callers may.
    pub security: Security,
}

/// A host. Clones are the same host.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    supervisor: Supervisor,
    work: Work,
    databases: Arc<dyn Databases>,
    routes: Arc<Routes>,
    log: LogControl,
    metrics: Metrics,
    tracer: Tracer,
    traces: Option<Arc<RecentTraces>>,
    mesh: Arc<Mesh>,
    backends: Backends,
    security: Security,
    rates: Arc<RateLimits>,
    recorder: Recorder,
    calls: Arc<CallTokens>,
    /// From start to stop.
    watching: Mutex<Option<Watching>>,
    health: Health,
    config: Mutex<Arc<Config>>,
    /// Modules whose section changed and that wait for the next rescan.
    renew: Mutex<BTreeSet<String>>,
}

impl Host {
    /// Puts a host together; nothing runs yet. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`SupervisorError`]
    pub fn new(parts: HostParts) -> Result<Self, SupervisorError> {
        let routes = Arc::new(Routes::new());
        let security = parts.security;
        let rates = Arc::new(settings::rates(&parts.config, &*parts.backends.rates));
        let calls = CallTokens::new(security.authorizer.clone()).map_err(|error| SupervisorError::Random(error.to_string()))?;
        let calls = Arc::new(calls);
        let mesh = Arc::new(Mesh::new(routes.clone(), security.authorizer.clone()).with_tokens(calls.clone()));
        let recorder = Recorder::new(&parts.config.node.name, mesh.clone(), routes.clone());
        let runtime = tokio::runtime::Handle::current();
        let mut backends = parts.backends;
        let (tracer, traces) = settings::tracer(&parts.config, parts.span_sinks);
        let work = Work::on(
            &mut backends,
            &parts.config.node.name,
            &parts.metrics,
            settings::work(&parts.config, parts.transport, tracer.clone()),
        );
        let databases = Arc::clone(&backends.databases);
        let shared = Shared {
            node: parts.config.node.name.clone(),
            log: ModuleLog::new(parts.log.clone(), parts.sink).with_tracer(tracer.clone()),
            spans: Arc::new(Spans::default()),
            metrics: parts.metrics.clone(),
            channels: mesh.clone(),
            authorizer: security.authorizer.clone(),
            error_sinks: parts.error_sinks,
            backends,
            work: work.clone(),
            runtime: runtime.clone(),
        };
        let backends = shared.backends.clone();
        let settings = settings::from_config(&parts.config, runtime.metrics().num_workers());
        let supervisor = Supervisor::new(settings, shared, parts.state, routes.clone(), parts.linked)?;
        Ok(Self(Arc::new(Inner {
            supervisor,
            work,
            databases,
            routes,
            log: parts.log,
            metrics: parts.metrics,
            tracer,
            traces,
            mesh,
            backends,
            security,
            rates,
            recorder,
            calls,
            watching: Mutex::default(),
            health: Health::new(),
            config: Mutex::new(Arc::new(parts.config)),
            renew: Mutex::default(),
        })))
    }

    /// Starts every module that is wanted and then says that it is ready; watches the folder if the configuration says so.
    ///
    /// # Errors
    /// When the state store does not answer. Whatever is wrong with modules is in the plan, and the others run.
    pub async fn start(&self) -> Result<Plan, ControlError> {
        self.watch_sources();
        let plan = self.0.supervisor.start().await?;
        self.0.health.set_ready(true);
        tokio::spawn(tell_health(Arc::downgrade(&self.0)));
        let config = self.config();
        if config.plugins.watch {
            let folder = config.plugins_dir();
            if let Err(error) = self.0.supervisor.watch(&folder) {
                tracing::error!(folder = %folder.display(), error = %error, "the plugins folder cannot be watched; `wharf modules reload` still works");
            }
        }
        Ok(plan)
    }

    /// The outside systems behind the core services.
    #[must_use]
    pub fn backends(&self) -> &Backends {
        &self.0.backends
    }

    /// Writes to the audit log in the name of the host.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.0.recorder
    }

    /// Calls of the host itself to gRPC methods of its modules.
    #[must_use]
    pub fn calls(&self) -> Calls {
        Calls::new(self.0.routes.clone(), self.0.mesh.clone())
    }

    /// Sends calls between modules over a socket of this host (`channel.mode = "loopback"`).
    pub fn use_loopback(&self, address: SocketAddr) {
        self.0.mesh.use_loopback(address);
    }

    /// Takes what a new configuration changes without a restart ([`Config::taking`]); modules whose section changed get a new instance at the next [`Control::rescan`].
    ///
    /// # Errors
    /// When it would trust more than the one in force; nothing is taken then.
    pub fn reconfigure(&self, config: &Config) -> Result<(), ControlError> {
        let config = self.config().taking(config);
        let settings = settings::from_config(&config, tokio::runtime::Handle::current().metrics().num_workers());
        let changed = self.0.supervisor.set_settings(settings)?;
        self.0.renew.lock().unwrap_or_else(PoisonError::into_inner).extend(changed);
        *self.0.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
        Ok(())
    }

    /// Says that it is not ready any more: the first step of a shutdown.
    pub fn set_unready(&self) {
        self.0.supervisor.set_unready();
        self.0.health.set_ready(false);
    }

    /// Ends all modules in reverse order by the deadline. Returns those that did not end cleanly.
    pub async fn stop(&self, deadline: Instant) -> Vec<String> {
        self.set_unready();
        // Their streams would keep the core modules from ending.
        drop(self.0.watching.lock().unwrap_or_else(PoisonError::into_inner).take());
        let left = deadline.saturating_duration_since(Instant::now()) / 4;
        drop(tokio::time::timeout(left, self.0.recorder.write_denials(true)).await);
        let unclean = self.0.supervisor.shut_down(deadline).await;
        self.0.work.mail.stop(deadline.saturating_duration_since(Instant::now())).await;
        drop(tokio::time::timeout_at(deadline.into(), self.0.tracer.flush()).await);
        self.0.health.close();
        unclean
    }

    /// How old what the host knows of callers is; empty where it needs nobody for that.
    #[must_use]
    pub fn security_status(&self) -> Vec<SourceStatus> {
        let sources = self.0.security.sources.as_ref();
        sources.map(|sources| sources.freshness.status()).unwrap_or_default()
    }

    fn security_lines(&self) -> Vec<(bool, String)> {
        let line = |status: SourceStatus| (status.is_fresh(), format!("security {status}"));
        self.security_status().into_iter().map(line).collect()
    }

    fn watch_sources(&self) {
        let Some(sources) = &self.0.security.sources else { return };
        let this = Arc::downgrade(&self.0);
        let watching = sources.watch(&Surroundings {
            node: self.config().node.name.clone(),
            channels: self.0.mesh.clone(),
            routes: self.0.routes.clone(),
            permissions: Arc::new(move || {
                let of_modules = this.upgrade().map(|inner| inner.supervisor.permissions());
                let mut declared = of_modules.unwrap_or_default();
                declared.push(host_permissions());
                declared
            }),
        });
        let writing = watching.and(self.0.recorder.clone().keep_writing());
        *self.0.watching.lock().unwrap_or_else(PoisonError::into_inner) = Some(writing);
    }

    /// What the builds that would run would do to tables that are in `databases`; see [`Supervisor::preview_migrations`].
    ///
    /// # Errors
    /// `internal` when the databases or the state store do not answer.
    pub async fn preview_migrations(&self, databases: &dyn Databases) -> Result<Preview, ControlError> {
        self.0.supervisor.preview_migrations(databases).await
    }

    /// Status of the node and of every module.
    #[must_use]
    pub fn host_status(&self) -> HostStatus {
        self.0.supervisor.host_status()
    }

    /// The traces it keeps in memory; none when `tracing.recent` is 0.
    #[must_use]
    pub fn traces(&self) -> Option<&Arc<RecentTraces>> {
        self.0.traces.as_ref()
    }

    /// Its events and jobs.
    #[must_use]
    pub fn work(&self) -> &Work {
        &self.0.work
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        self.0.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Control for Host {
    fn databases(&self) -> Answer<'_, Vec<SpaceStatus>> {
        Box::pin(async move {
            let all = self.0.databases.status().await;
            all.map_err(|error| ControlError {
                code: "internal".to_owned(),
                message: error.to_string(),
                hint: "the host's log has more".to_owned(),
                findings: Vec::new(),
            })
        })
    }

    fn status(&self) -> Answer<'_, HostStatus> {
        let status = self.host_status();
        Box::pin(async { Ok(status) })
    }

    fn module<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        Box::pin(async move { self.0.supervisor.module_status(id) })
    }

    fn plan(&self) -> Answer<'_, Plan> {
        Box::pin(self.0.supervisor.make_plan())
    }

    fn enable<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        Box::pin(self.0.supervisor.enable_module(id))
    }

    fn disable<'a>(&'a self, id: &'a str, force: bool) -> Answer<'a, ModuleStatus> {
        Box::pin(self.0.supervisor.disable_module(id, force))
    }

    fn pin<'a>(&'a self, id: &'a str, pin: PinnedBuild) -> Answer<'a, ModuleStatus> {
        Box::pin(self.0.supervisor.pin_module(id, pin))
    }

    fn reload<'a>(&'a self, id: &'a str) -> Answer<'a, ModuleStatus> {
        Box::pin(self.0.supervisor.reload_module(id))
    }

    fn rescan(&self) -> Answer<'_, Plan> {
        let renew = std::mem::take(&mut *self.0.renew.lock().unwrap_or_else(PoisonError::into_inner));
        Box::pin(self.0.supervisor.apply(Scope { renew, ..Scope::all() }))
    }

    fn migrations(&self) -> Answer<'_, Vec<MigrationRow>> {
        Box::pin(self.0.supervisor.migrations())
    }

    fn migrate<'a>(&'a self, module: Option<&'a str>) -> Answer<'a, Vec<MigrationRow>> {
        Box::pin(self.0.supervisor.migrate_now(module))
    }

    fn routes(&self) -> Answer<'_, Vec<RouteRow>> {
        let rows = self.0.routes.rows();
        Box::pin(async { Ok(rows) })
    }

    fn set_log<'a>(&'a self, directives: &'a str) -> Answer<'a, String> {
        let outcome = self.0.log.set(directives).map_err(|error| ControlError {
            code: "log.directives".to_owned(),
            message: error.to_string(),
            hint: "such as info,blog=debug; reset goes back to the configured levels".to_owned(),
            findings: Vec::new(),
        });
        Box::pin(async { outcome })
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Host").field(&self.0.supervisor).finish()
    }
}

/// gRPC health follows what modules say and whether they are quarantined, until the host is gone.
async fn tell_health(host: Weak<Inner>) {
    loop {
        let Some(inner) = host.upgrade() else { return };
        for module in inner.supervisor.host_status().modules {
            let serving = module.state == State::Running && module.health != "not-serving";
            inner.health.set_module(&module.id, serving);
        }
        drop(inner);
        tokio::time::sleep(HEALTH_EVERY).await;
    }
}

/// Installs the panic hook of a program that links modules in: a panic inside one is counted and logged in its name. Panics
/// elsewhere go to the hook that was there.
#[allow(
    clippy::disallowed_methods,
    reason = "the one place for programs that embed a host; the binary calls it"
)]
pub fn install_panic_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let is_in_module = crate::modules::current::with(|standing, call| {
            let Some(standing) = standing else { return false };
            let message = wharf_plugin_api::guard::payload_message(info.payload());
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            standing.panicked(&message, &place);
            tell_panic(standing, call, &message, &place);
            true
        });
        if !is_in_module {
            before(info);
        }
    }));
}

fn tell_panic(standing: &Standing, call: Option<&CallInfo>, message: &str, place: &str) {
    if let Some(log) = standing.log() {
        log.emit(&ModuleEvent {
            module: &standing.who.module,
            instance: standing.who.instance,
            generation: standing.who.generation,
            level: tracing::Level::ERROR,
            target: "panic",
            file: None,
            line: None,
            message: &format!("panicked at {place}: {message}"),
            fields: &[],
            spans: &[],
            request_id: call.map(|call| &*call.request_id),
            trace_id: call.map(|call| call.trace_id),
            span_id: call.map(|call| call.span_id),
        });
    }
}
