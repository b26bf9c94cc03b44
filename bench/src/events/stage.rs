//! A host on PostgreSQL with the module `orders`, without listeners.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use wharf_host::config::Config;
use wharf_host::domain::finding::Finding;
use wharf_host::host::{Host, HostParts};
use wharf_host::infra::database::{Limits, PgSettings, PgSpaces, Roles};
use wharf_host::modules::trust::TrustMode;
use wharf_host::ports::database::Space;
use wharf_host::ports::state::MemoryState;
use wharf_host::security::Security;
use wharf_host::services::Backends;
use wharf_host::telemetry::{LineFormat, LogControl, LogSink, Metrics};

use crate::side::library;

/// It, and the folder it is in.
pub(super) struct Stage {
    pub(super) host: Host,
    _home: tempfile::TempDir,
}

impl Stage {
    pub(super) async fn start(url: &str) -> Result<Self> {
        let home = tempfile::tempdir()?;
        std::fs::set_permissions(home.path(), Permissions::from_mode(0o700))?;
        let mut config = Config::default();
        config.node.name = "bench".to_owned();
        config.data_dir = home.path().join("data");
        config.plugins.dir = Some(home.path().join("plugins"));
        config.plugins.auto_enable = true;
        config.plugins.watch = false;
        config.plugins.trust.mode = TrustMode::Any;
        let from = library("orders_module")?;
        let folder = config.plugins_dir();
        std::fs::create_dir(&folder)?;
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let to = folder.join(from.file_name().context("a library has a name")?);
        std::fs::copy(&from, &to).with_context(|| format!("{} cannot be copied", from.display()))?;
        std::fs::set_permissions(&to, Permissions::from_mode(0o700))?;
        let spaces = PgSpaces::new(PgSettings {
            url: url.to_owned(),
            replica: None,
            prefix: "bench_".to_owned(),
            roles: Roles::Off,
            limits: Limits::default(),
        })?;
        let host = Host::new(HostParts {
            config,
            log: LogControl::new("warn")?,
            sink: LogSink::writer(LineFormat::Json, Box::new(std::io::stderr())),
            metrics: Metrics::new()?,
            state: Arc::new(MemoryState::new()),
            linked: Vec::new(),
            error_sinks: Vec::new(),
            backends: Backends {
                databases: Arc::new(spaces),
                ..Backends::in_memory()
            },
            transport: None,
            security: Security::public_only(),
        })?;
        let plan = host.start().await?;
        ensure!(
            !plan.findings.iter().any(Finding::is_error),
            "the module orders does not run: {:?}",
            plan.findings
        );
        Ok(Self { host, _home: home })
    }

    /// The space of a module, with the host's tables in it.
    pub(super) async fn space(&self, module: &str) -> Result<Arc<dyn Space>> {
        let queue = self.host.work().events.queues().of(module).await?;
        Ok(queue.space().clone())
    }
}
