//! A program that has the Wharf host inside, with two modules linked in instead of loaded.
//!
//! The modules are the same crates that are built as libraries elsewhere: `root()` of each is all that differs. They run
//! behind the same objects and policies; they are not reloaded, since their code is the program's.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wharf_host::config::Config;
use wharf_host::domain::finding::Finding;
use wharf_host::host::{Host, HostParts, install_panic_hook};
use wharf_host::http::server::{Listener, Server};
use wharf_host::modules::control::ControlError;
use wharf_host::modules::supervisor::SupervisorError;
use wharf_host::ports::state::MemoryState;
use wharf_host::security::Security;
use wharf_host::telemetry::{self, LineFormat, LogControl, LogSink, Metrics};

/// How long requests and modules may take to end.
const STOP: Duration = Duration::from_secs(10);

/// A host that serves.
#[derive(Debug)]
#[must_use = "it serves until `stop`"]
pub struct Running {
    host: Host,
    server: Server,
}

/// Why the program cannot serve.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The address cannot be listened on, or the metrics cannot be made.
    #[error("{0}")]
    Setup(String),
    /// The host could not be put together.
    #[error(transparent)]
    Host(#[from] SupervisorError),
    /// The host did not start.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A module does not run.
    #[error("{} does not run: {}; {}", .0.module.as_deref().unwrap_or("a module"), .0.what, .0.fix)]
    Module(Box<Finding>),
}

/// Starts the host with both modules and serves them. `data` is a folder for the host's own files, made when it is not there.
///
/// # Errors
/// [`StartError`]
pub async fn start(address: SocketAddr, data: PathBuf) -> Result<Running, StartError> {
    let log = LogControl::new("info").map_err(setup)?;
    let sink = LogSink::stdout(LineFormat::text_for_stdout());
    // A program that has a subscriber already keeps it.
    drop(telemetry::install(&log, &sink));
    // A panic of a module is counted and logged in its name, and its call fails; the program goes on.
    install_panic_hook();

    let mut config = Config::default();
    config.data_dir = data;
    let host = Host::new(HostParts {
        config: with_modules_enabled(config),
        log,
        sink,
        metrics: Metrics::new().map_err(setup)?,
        // What operators switch on and off is forgotten with the process; `infra::database` has a form that keeps it.
        state: Arc::new(MemoryState::new()),
        linked: vec![hello_module::root().into(), greeter::root().into()],
        error_sinks: Vec::new(),
        span_sinks: Vec::new(),
        backends: wharf_host::services::Backends::in_memory(),
        transport: None,
        security: Security::public_only(),
    })?;
    // Listening before the modules run: whoever connects now waits.
    let listener = Listener::bind(address).map_err(setup)?;
    let plan = host.start().await?;
    if let Some(finding) = plan.findings.into_iter().find(Finding::is_error) {
        return Err(StartError::Module(Box::new(finding)));
    }
    let server = Server::start(listener, Arc::new(host.gateway()), None);
    Ok(Running { host, server })
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.server.address()
    }

    /// Takes no more requests, finishes those under way, stops the modules in reverse order.
    pub async fn stop(self) {
        let deadline = Instant::now() + STOP;
        self.host.set_unready();
        let _ = self.server.shutdown(STOP).await;
        drop(self.host.stop(deadline).await);
    }
}

/// Modules that are linked in need nobody's decision, and nothing else is loaded.
fn with_modules_enabled(mut config: Config) -> Config {
    config.plugins.auto_enable = true;
    config.plugins.watch = false;
    config
}

fn setup(error: impl std::fmt::Display) -> StartError {
    StartError::Setup(error.to_string())
}
