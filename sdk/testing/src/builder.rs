//! What a [`TestHost`] is made of.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use tempfile::TempDir;
use wharf_host::Root;
use wharf_host::config::Config;
use wharf_host::domain::finding::Finding;
use wharf_host::domain::trust::TrustMode;
use wharf_host::host::{Host, HostParts};
use wharf_host::modules::control::ControlError;
use wharf_host::modules::supervisor::SupervisorError;
use wharf_host::ports::clock::MovableClock;
use wharf_host::ports::database::Databases;
use wharf_host::ports::mail::MemoryMailer;
use wharf_host::ports::secrets::{MemorySecrets, SecretBytes, Secrets};
use wharf_host::ports::state::MemoryState;
use wharf_host::security::{PublicOnly, Security, SecuritySettings};
use wharf_host::services::Backends;
use wharf_host::telemetry::{LogControl, LogSink, Metrics};

use crate::host::TestHost;
use crate::log;
use crate::rules::{AsTold, FixedRules};

/// Collects modules and their configuration; [`Builder::start`] runs them.
#[derive(Debug)]
#[must_use = "nothing runs before `start`"]
pub struct Builder {
    linked: Vec<Linked>,
    libraries: Vec<PathBuf>,
    config: Config,
    log: String,
    secrets: MemorySecrets,
    rules: FixedRules,
    shared: Shared,
}

/// What nodes of one installation have in common.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) clock: Arc<MovableClock>,
    pub(crate) state: Arc<MemoryState>,
    pub(crate) backends: Backends,
}

/// Why a [`TestHost`] did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// A folder or file could not be written or read.
    #[error("{what}: {source}")]
    Io {
        /// What was to be done.
        what: String,
        /// Why it could not be.
        source: io::Error,
    },
    /// The host could not be put together.
    #[error(transparent)]
    Host(#[from] SupervisorError),
    /// The host refused to start.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The levels of the log are no directives.
    #[error("log levels: {0}")]
    Log(String),
    /// At least one module does not run.
    #[error("{}", report(.0))]
    Findings(Vec<Finding>),
}

/// A linked-in module.
struct Linked(Root);

impl Default for Builder {
    fn default() -> Self {
        let mut config = Config::default();
        config.node.name = "test".to_owned();
        config.plugins.auto_enable = true;
        config.plugins.watch = false;
        config.plugins.trust.mode = TrustMode::Any;
        Self {
            linked: Vec::new(),
            libraries: Vec::new(),
            config,
            log: "trace".to_owned(),
            secrets: MemorySecrets::new(),
            rules: FixedRules::default(),
            shared: Shared::new(),
        }
    }
}

impl Builder {
    /// Adds a module that is linked into the test: `root()` of its crate.
    pub fn module(mut self, root: impl Into<Root>) -> Self {
        self.linked.push(Linked(root.into()));
        self
    }

    /// Adds a module from a shared library. The file is copied into a folder of this host first.
    pub fn library(mut self, path: impl AsRef<Path>) -> Self {
        self.libraries.push(path.as_ref().to_owned());
        self
    }

    /// The section `[modules.ID]` of the configuration.
    pub fn config(mut self, id: &str, section: Value) -> Self {
        self.config.modules.insert(id.to_owned(), section);
        self
    }

    /// Levels of what modules log, such as `warn,hello=debug`. Everything is kept unless this says otherwise.
    pub fn log(mut self, directives: &str) -> Self {
        directives.clone_into(&mut self.log);
        self
    }

    /// The value of a secret that the module names under `[secrets]`.
    pub fn secret(self, module: &str, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.secrets.set(module, name, SecretBytes::new(value.into()));
        self
    }

    /// Lets a subject, such as `user:ada`, use permissions such as `blog.post.write`, on every resource. Both may be globs with `*`.
    ///
    /// With the first rule of its own the host goes by these alone: what none allows is denied. Without any it goes by the module
    /// `authz`, if that is there.
    pub fn allow(self, subject: &str, permission: &str) -> Self {
        self.allow_on(subject, permission, "*")
    }

    /// The same on some resources: a name such as `post/17`, a glob, or `own` for those that belong to the subject.
    pub fn allow_on(mut self, subject: &str, permission: &str, resource: &str) -> Self {
        self.rules.add(false, subject, permission, resource);
        self
    }

    /// Denies it on every resource, whatever else allows it.
    pub fn deny(self, subject: &str, permission: &str) -> Self {
        self.deny_on(subject, permission, "*")
    }

    /// Denies it on some resources, named as in [`Builder::allow_on`].
    pub fn deny_on(mut self, subject: &str, permission: &str, resource: &str) -> Self {
        self.rules.add(true, subject, permission, resource);
        self
    }

    /// Nobody knows the rules, as when the module `authz` has been silent for too long: 503 and `unavailable`.
    pub fn without_rules(mut self) -> Self {
        self.rules.silence();
        self
    }

    /// Makes it another node of the installation of `host`: they share state, signals, cache, databases and time. Give it another
    /// name than that of the first, which is `test`.
    pub fn beside(mut self, host: &TestHost, name: &str) -> Self {
        self.shared = host.shared().clone();
        name.clone_into(&mut self.config.node.name);
        self
    }

    /// Keeps what modules write in these databases, and not in passing files.
    pub fn databases(mut self, databases: Arc<dyn Databases>) -> Self {
        self.shared.backends.databases = databases;
        self
    }

    /// Changes anything else of the host's configuration. `data_dir` is a folder of this host and is set afterwards.
    pub fn configure(mut self, change: impl FnOnce(&mut Config)) -> Self {
        change(&mut self.config);
        self
    }

    /// Starts the host and every module.
    ///
    /// # Panics
    /// When a module does not run; the message has every finding with the way to mend it.
    #[allow(clippy::panic, reason = "this is an assertion for tests")]
    pub async fn start(self) -> TestHost {
        match self.try_start().await {
            Ok(host) => host,
            Err(error) => panic!("the test host did not start: {error}"),
        }
    }

    /// The same for tests of modules that are to be refused.
    ///
    /// # Errors
    /// [`StartError`], with the findings when a module was refused.
    pub async fn try_start(self) -> Result<TestHost, StartError> {
        log::install();
        let folder = private_folder()?;
        let mut config = self.config;
        config.data_dir = folder.path().to_owned();
        copy_libraries(&self.libraries, &config.plugins_dir())?;
        let control = LogControl::new(&self.log).map_err(|error| StartError::Log(error.to_string()))?;
        let (sink, captured) = LogSink::capture();
        let metrics = Metrics::new().map_err(|error| StartError::Io {
            what: "metrics".to_owned(),
            source: io::Error::other(error.to_string()),
        })?;
        let mailer = MemoryMailer::new();
        let backends = Backends {
            mailer: Arc::new(mailer.clone()),
            secrets: Secrets::new(vec![Arc::new(self.secrets)]),
            ..self.shared.backends.clone()
        };
        let host = Host::new(HostParts {
            config,
            log: control,
            sink,
            metrics,
            state: self.shared.state.clone(),
            linked: self.linked.into_iter().map(|linked| linked.0).collect(),
            error_sinks: Vec::new(),
            span_sinks: Vec::new(),
            backends,
            transport: None,
            security: security(self.rules, &self.shared),
        })?;
        let plan = host.start().await?;
        if plan.findings.iter().any(Finding::is_error) {
            return Err(StartError::Findings(plan.findings));
        }
        Ok(TestHost::new(host, mailer, captured, folder, self.shared))
    }
}

impl Shared {
    fn new() -> Self {
        let clock = Arc::new(MovableClock::default());
        Self {
            state: Arc::new(MemoryState::new()),
            backends: Backends::in_memory_at(clock.clone()),
            clock,
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shared")
    }
}

impl std::fmt::Debug for Linked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Linked")
    }
}

/// By the rules of the test, if it has any, else by the core modules; in any case with the callers it names.
fn security(rules: FixedRules, shared: &Shared) -> Security {
    let mut security = if rules.is_given() {
        Security::of(Arc::new(PublicOnly), Arc::new(rules))
    } else {
        Security::guarded(SecuritySettings::default(), shared.clock.clone())
    };
    security.gatekeeper = Arc::new(AsTold {
        otherwise: security.gatekeeper,
        authorizer: security.authorizer.clone(),
    });
    security
}

fn report(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let about = finding.module.as_deref().unwrap_or("-");
        let _ = write!(
            text,
            "\n{} ({about}): {}\n  why: {}\n  fix: {}",
            finding.code, finding.what, finding.why, finding.fix
        );
    }
    text
}

fn private_folder() -> Result<TempDir, StartError> {
    let io = |source| StartError::Io {
        what: "a folder for the test host".to_owned(),
        source,
    };
    // Mode 0700, as `tempfile` makes folders: the host refuses one that others can write to.
    TempDir::with_prefix("wharf-test-").map_err(io)
}

fn copy_libraries(libraries: &[PathBuf], folder: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
    let io = |what: String| move |source| StartError::Io { what, source };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(io(format!("making {}", folder.display())))?;
    for (index, library) in libraries.iter().enumerate() {
        let name = library.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Two builds of one module may have the same file name.
        let copy = folder.join(if index == 0 { name } else { format!("{index}-{name}") });
        std::fs::copy(library, &copy)
            .and_then(|_| std::fs::set_permissions(&copy, std::fs::Permissions::from_mode(0o700)))
            .map_err(io(format!("copying {}", library.display())))?;
    }
    Ok(())
}
