//! Builds a running host from a configuration: chooses the adapters, starts the parts, and stops them in order.

mod background;
mod blobs;
mod docs;
mod listeners;
mod mail;
mod security;
mod settings;
mod signals;
mod spaces;
mod stores;
mod traces;
mod welcome;

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use tokio::sync::watch;
use wharf_host::admin::{
    AdminAudit, AdminParts, AdminSocket, audited, blobs_router, call_router, mail_router, remote_routes, router, serve_admin,
    traces_router, work_router,
};
use wharf_host::config::{Config, LoadOptions, LogFormat, OnFailure};
use wharf_host::host::{Host, HostParts};
use wharf_host::infra::database::{PostgresState, SqliteState};
use wharf_host::modules::control::Control;
use wharf_host::ports::database::Databases;
use wharf_host::ports::state::{StateError, StateStore};
use wharf_host::telemetry::{self, LineFormat, LogControl, LogSink, Metrics};

use crate::cli::Exit;
use listeners::Listeners;
use settings::Settings;
use signals::{Signal, Signals};
use stores::Stores;

pub(crate) use stores::{open_vault, secrets_of};
use welcome::Welcome;

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
    let listeners = Listeners::bind(&config)?;
    let bound = listeners.as_bound(&config);
    let Stores {
        state,
        backends,
        error_sinks,
    } = stores::open(&bound, &options.load, &metrics).await?;
    state.forget_reports(&config.node.name).await?;
    let settings = Arc::new(Settings::new(config.clone(), options.load, log.clone()));

    make_plugins_folder(&config).context("cannot make the plugins folder")?;
    wharf_host::host::install_panic_hook();
    let host = Host::new(HostParts {
        config: bound.clone(),
        log: log.clone(),
        sink,
        metrics: metrics.clone(),
        state: Arc::clone(&state),
        linked: linked_modules(&config),
        error_sinks,
        span_sinks: traces::sinks(&config, &metrics)?,
        backends,
        transport: stores::transport(&config),
        security: security::open(&config),
    })?;
    let control: Arc<dyn Control> = Arc::new(host.clone());
    let (stop, stopping) = watch::channel(false);
    let admin = AdminParts {
        control: Arc::clone(&control),
        log: log.clone(),
        settings: settings.explainer(),
        security: {
            let host = host.clone();
            Arc::new(move || host.security_status())
        },
    };
    let audit = AdminAudit {
        recorder: host.recorder().clone(),
        closed: config.audit.on_failure == OnFailure::Closed,
    };
    let routes = audited(
        router(admin)
            .merge(call_router(host.calls()))
            .merge(mail_router(host.work().mail.clone()))
            .merge(traces_router(host.traces().cloned()))
            .merge(blobs_router(host.backends().blobs.clone(), Arc::clone(&control)))
            .merge(work_router(host.work().clone())),
        audit,
    );
    let own = match config.admin.remote {
        true => Some(remote_routes(routes.clone()).map_err(|findings| anyhow::anyhow!("routes of the admin API: {findings:?}"))?),
        false => None,
    };
    let admin_path = socket.path().to_owned();
    let admin = tokio::spawn(serve_admin(socket, routes, stopped(stopping.clone())));
    tokio::spawn(background::beat(Arc::clone(&state), config.node.name.clone(), stopping.clone()));
    tokio::spawn(background::upkeep(metrics, stopping.clone()));

    let servers = listeners.serve(&host, &config, own)?;
    host.start().await?;
    servers.say_where(&config, &admin_path);
    Welcome {
        config: &config,
        public: bound.http.reached_at(),
        management: servers.management(),
        admin: &admin_path,
        status: host.host_status(),
        routes: control.routes().await?,
        invitation: match config.is_dev() {
            true => welcome::invitation(&host.calls()).await,
            false => None,
        },
    }
    .show();

    while let Signal::Reread = signals.next().await {
        if let Some(changes) = settings.reread(&host) {
            servers.reload_certificates();
            tracing::info!(modules = changes.modules.join(","), "configuration read again");
            if let Err(error) = control.rescan().await {
                tracing::error!(error = %error, hint = error.hint, "rescan failed");
            }
        }
    }

    tracing::info!(deadline_ms = config.shutdown.deadline.get().as_millis() as u64, "host stops");
    let deadline = Instant::now() + config.shutdown.deadline.get();
    let work = async {
        host.set_unready();
        // Intake first, while modules still answer what is in flight; then the modules, last the admin socket.
        let cut = servers.stop(deadline - for_modules(&config)).await;
        let unclean = host.stop(deadline).await;
        let _ = stop.send(true);
        drop(admin.await);
        (cut, unclean)
    };
    let exit = tokio::select! {
        done = tokio::time::timeout_at(deadline.into(), work) => match done {
            Ok((0, unclean)) if unclean.is_empty() => Exit::Ok,
            Ok((cut, unclean)) => {
                tracing::warn!(requests.cut = cut as u64, modules = unclean.join(","), "not everything ended by itself");
                Exit::CutOff
            }
            Err(_) => Exit::CutOff,
        },
        () = signals.again() => Exit::CutOff,
    };
    tracing::info!(clean = exit == Exit::Ok, "host has stopped");
    Ok(exit)
}

/// The default folder is the host's own, so the host makes it, for its user alone; one that somebody named must be there.
fn make_plugins_folder(config: &Config) -> std::io::Result<()> {
    match config.plugins.dir {
        Some(_) => Ok(()),
        None => DirBuilder::new().recursive(true).mode(0o700).create(config.plugins_dir()),
    }
}

/// The core modules, which are linked into this program, as far as `security.core_modules` lets them run.
pub(crate) fn linked_modules(config: &Config) -> Vec<wharf_host::Root> {
    let core = [
        ("identity", wharf_identity::root()),
        ("auth", wharf_auth::root()),
        ("authz", wharf_authz::root()),
        ("audit", wharf_audit::root()),
    ];
    let is_wanted = |id: &str| config.security.core_modules.iter().any(|wanted| wanted == id);
    core.into_iter()
        .filter(|(id, _)| is_wanted(id))
        .map(|(_, root)| root.into())
        .collect()
}

/// The state of a host that may not be running, looked at and not changed; none when there is none yet.
///
/// # Errors
/// When there is one that cannot be read.
pub(crate) async fn look_at_state(config: &Config) -> Result<Option<Box<dyn StateStore>>, StateError> {
    let url = config.database_url();
    if PostgresState::takes(url.reveal()) {
        let state = PostgresState::look_at(url.reveal()).await?;
        return Ok(state.map(|state| Box::new(state) as Box<dyn StateStore>));
    }
    let state = SqliteState::look_at(url.reveal()).await?;
    Ok(state.map(|state| Box::new(state) as Box<dyn StateStore>))
}

/// The databases of modules of a host that may not be running.
///
/// # Errors
/// When what the configuration says of them cannot be read.
pub(crate) fn module_databases(config: &Config) -> anyhow::Result<Arc<dyn Databases>> {
    spaces::databases(config, &Metrics::new().context("metrics")?)
}

/// The part of the shutdown that requests in flight do not get, so that one that never ends leaves modules time to stop.
fn for_modules(config: &Config) -> Duration {
    config.plugins.stop_timeout.get().min(config.shutdown.deadline.get() / 2)
}

/// Ready when the host stops.
async fn stopped(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end too.
    drop(stopping.wait_for(|stop| *stop).await);
}
