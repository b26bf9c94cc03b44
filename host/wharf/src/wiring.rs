//! Builds a running host from a configuration: chooses the adapters, starts the parts, and stops them in order.

mod background;
mod empty;
mod settings;
mod signals;

use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;
use wharf_host::admin::{AdminParts, AdminSocket, router, serve_admin};
use wharf_host::config::{Config, LoadOptions, LogFormat};
use wharf_host::infra::database::SqliteState;
use wharf_host::modules::control::Control;
use wharf_host::ports::state::StateStore;
use wharf_host::telemetry::{self, LineFormat, LogControl, LogSink, Metrics};

use crate::cli::Exit;
use empty::EmptyHost;
use settings::Settings;
use signals::{Signal, Signals};

/// What `serve` was told beside the configuration.
#[derive(Debug)]
pub(crate) struct ServeOptions {
    /// Where the configuration came from, to be read again on SIGHUP.
    pub(crate) load: LoadOptions,
}

/// Runs a host until SIGTERM or SIGINT.
///
/// # Errors
/// Whatever keeps the host from starting. Once it runs, failures are logged.
pub(crate) async fn serve(config: Config, options: ServeOptions) -> anyhow::Result<Exit> {
    let mut signals = Signals::new().context("cannot watch for signals")?;
    let log = LogControl::new(&config.log.level).context("log.level")?;
    let sink = LogSink::stdout(match config.log.format {
        LogFormat::Text => LineFormat::text_for_stdout(),
        LogFormat::Json => LineFormat::Json,
    });
    telemetry::install(&log, &sink)?;
    let metrics = Metrics::new().context("metrics")?;
    if !metrics.install_global() {
        tracing::warn!("another recorder of metrics is installed; numbers of libraries are not shown");
    }

    // Before anything is written: it tells whether another host runs here.
    let socket = AdminSocket::bind(&config.admin_socket())?;
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open_url(config.database_url().reveal()).await?);
    state.forget_reports(&config.node.name).await?;
    let settings = Arc::new(Settings::new(config.clone(), options.load, log.clone()));

    // SUPERVISOR: build it here from `config`, `state`, `log`, `sink` and `metrics`; it takes the place of `EmptyHost`.
    let control: Arc<dyn Control> = Arc::new(EmptyHost::new(&config, log.clone()));

    let (stop, stopping) = watch::channel(false);
    let admin = AdminParts {
        control: Arc::clone(&control),
        log: log.clone(),
        settings: settings.explainer(),
    };
    let admin_path = socket.path().to_owned();
    let admin = tokio::spawn(serve_admin(socket, router(admin), stopped(stopping.clone())));
    tokio::spawn(background::beat(Arc::clone(&state), config.node.name.clone(), stopping.clone()));
    tokio::spawn(background::upkeep(metrics, stopping.clone()));

    // LISTENERS: start the public listener (config.http) and the management listener (config.management) here.
    tracing::info!(node.name = config.node.name, admin.socket = %admin_path.display(), dev = config.is_dev(), "host runs");

    while let Signal::Reread = signals.next().await {
        if let Some(changes) = settings.reread() {
            // SIGHUP: give `changes.modules` and the new configuration (`settings.current()`) to the supervisor here.
            tracing::info!(modules = changes.modules.join(","), "configuration read again");
            if let Err(error) = control.rescan().await {
                tracing::error!(error = %error, hint = error.hint, "rescan failed");
            }
        }
    }

    tracing::info!(deadline_ms = config.shutdown.deadline.get().as_millis() as u64, "host stops");
    let work = async {
        // STOP: unready, stop intake, drain, stop modules in reverse here.
        let _ = stop.send(true);
        admin.await
    };
    let exit = tokio::select! {
        done = tokio::time::timeout(config.shutdown.deadline.get(), work) => if done.is_ok() { Exit::Ok } else { Exit::CutOff },
        () = signals.again() => Exit::CutOff,
    };
    tracing::info!(clean = exit == Exit::Ok, "host has stopped");
    Ok(exit)
}

/// Ready when the host stops.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end too.
    drop(stopping.wait_for(|stop| *stop).await);
}
