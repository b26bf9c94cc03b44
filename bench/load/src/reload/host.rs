//! The host under load: a process of its own, in a folder of its own, on free loopback ports.

use std::fs::{self, DirBuilder, File, Permissions};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tempfile::TempDir;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::Instant;

use super::Plan;
use super::wire::{connect_http1, get_request};

const START: Duration = Duration::from_secs(60);
const STOP: Duration = Duration::from_secs(60);

/// One of the two builds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Build {
    pub(super) library: &'static str,
    pub(super) version: &'static str,
}

/// A running host. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub(super) struct Host {
    child: Child,
    http: SocketAddr,
    folder: TempDir,
    wharf: PathBuf,
    libraries: PathBuf,
}

/// What a status of a module has to say here.
#[derive(Debug, Deserialize)]
pub(super) struct ModuleStatus {
    pub(super) id: String,
    pub(super) version: String,
    pub(super) instance: u64,
}

/// What the status of a node has to say here.
#[derive(Debug, Deserialize)]
pub(super) struct NodeStatus {
    pub(super) generations_loaded: u64,
    pub(super) thread_keys_left: u64,
    pub(super) modules: Vec<ModuleStatus>,
}

impl Host {
    /// Starts a host that serves `build` and the greeter.
    pub(super) async fn start(plan: &Plan, build: Build) -> anyhow::Result<Self> {
        // Beside the binary, since the host takes no library from a place that others may write to.
        let beside = plan.wharf.parent().context("the path of the binary has no folder")?;
        let folder = tempfile::Builder::new().prefix("load-").tempdir_in(beside)?;
        let (plugins, config) = (folder.path().join("plugins"), folder.path().join("wharf-host.toml"));
        DirBuilder::new().mode(0o700).create(&plugins)?;
        fs::write(&config, configuration(plan))?;
        install(&library(&plan.libraries, "greeter"), &plugins, "greeter")?;
        install(&library(&plan.libraries, build.library), &plugins, "swap")?;
        let (http, management) = free_addresses()?;
        let log = File::create(folder.path().join("host.log"))?;
        let child = command(&plan.wharf, folder.path())
            .args(["serve", "--dev"])
            .env("WHARF_HTTP__LISTEN", http.to_string())
            .env("WHARF_MANAGEMENT__LISTEN", management.to_string())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .with_context(|| format!("cannot start {}", plan.wharf.display()))?;
        let mut host = Self {
            child,
            http,
            folder,
            wharf: plan.wharf.clone(),
            libraries: plan.libraries.clone(),
        };
        host.wait_until_ready(management).await?;
        Ok(host)
    }

    async fn wait_until_ready(&mut self, management: SocketAddr) -> anyhow::Result<()> {
        let until = Instant::now() + START;
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the host ended with {status} before it was ready; it printed:\n{}", self.log());
            }
            if is_ready(management).await.unwrap_or(false) {
                return Ok(());
            }
            ensure!(
                Instant::now() < until,
                "the host was not ready within {START:?}; it printed:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The public listener.
    pub(super) fn http(&self) -> SocketAddr {
        self.http
    }

    /// Puts a build into the folder in place of the one that is there, atomically.
    pub(super) fn install_build(&self, build: Build) -> anyhow::Result<()> {
        install(
            &library(&self.libraries, build.library),
            &self.folder.path().join("plugins"),
            "swap",
        )
    }

    /// `wharf modules reload swap`, as an operator types it.
    pub(super) async fn reload(&self) -> anyhow::Result<ModuleStatus> {
        let output = command(&self.wharf, self.folder.path())
            .args(["modules", "reload", "swap", "--json"])
            .output()
            .await?;
        ensure!(
            output.status.success(),
            "wharf modules reload ended with {}: {}; the host printed:\n{}",
            output.status,
            String::from_utf8_lossy(&output.stderr),
            self.log()
        );
        Ok(serde_json::from_slice(&output.stdout)?)
    }

    /// The status of the node, over the admin socket.
    pub(super) async fn status(&self) -> anyhow::Result<NodeStatus> {
        let id = self.child.id().context("the host has ended")?;
        // Short for the same reason.
        let socket = PathBuf::from(format!("/proc/{id}/cwd/data/admin/wharf.sock"));
        let stream = UnixStream::connect(&socket)
            .await
            .with_context(|| format!("{}", socket.display()))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        let driver = tokio::spawn(connection);
        let request = http::Request::get("/admin/v1/status")
            .header("host", "wharf")
            .body(Empty::<bytes::Bytes>::new())?;
        let answer = sender.send_request(request).await?.into_body().collect().await?.to_bytes();
        driver.abort();
        serde_json::from_slice(&answer).with_context(|| format!("found {}", String::from_utf8_lossy(&answer)))
    }

    /// The instance of the module `swap` that serves now.
    pub(super) async fn module_instance(&self) -> anyhow::Result<u64> {
        let status = self.status().await?;
        let module = status.modules.into_iter().find(|module| module.id == "swap");
        Ok(module
            .with_context(|| format!("the host has no module swap; it printed:\n{}", self.log()))?
            .instance)
    }

    /// Private resident memory of the process in bytes.
    pub(super) fn private_bytes(&self) -> anyhow::Result<u64> {
        let id = self.child.id().context("the host has ended")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kib: u64 = line
            .and_then(|line| line.trim().strip_suffix("kB"))
            .context("RssAnon")?
            .trim()
            .parse()?;
        Ok(kib * 1024)
    }

    /// Asks the host to end, as a service manager does.
    pub(super) async fn stop(&mut self) -> anyhow::Result<ExitStatus> {
        let id = self.child.id().context("the host has ended by itself")?;
        // The shell's own kill: the standard library knows no other signal than the one that cannot be handled.
        let sent = Command::new("sh").args(["-c", &format!("kill -TERM {id}")]).status().await?;
        ensure!(sent.success(), "cannot send a signal to the host");
        tokio::time::timeout(STOP, self.child.wait())
            .await
            .with_context(|| format!("the host did not end within {STOP:?}"))?
            .context("cannot wait for the host")
    }

    /// Keeps the host's folder, for somebody to look into, and tells where its log is.
    pub(super) fn keep(self) -> PathBuf {
        self.folder.keep().join("host.log")
    }

    /// The end of what the host printed.
    fn log(&self) -> String {
        let text = fs::read_to_string(self.folder.path().join("host.log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(40).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

fn command(wharf: &Path, folder: &Path) -> Command {
    let mut command = Command::new(wharf);
    command
        .current_dir(folder)
        .env("WHARF_CONFIG", folder.join("wharf-host.toml"))
        // Relative: the path of a socket may have at most 107 bytes, wherever this was cloned to.
        .env("WHARF_DATA_DIR", "data")
        .env("WHARF_PLUGINS__DIR", folder.join("plugins"))
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn configuration(plan: &Plan) -> String {
    let Plan { drain_ms, watch, .. } = plan;
    format!(
        "[plugins]\nwatch = {watch}\ndrain_timeout = \"{drain_ms}ms\"\n\n\
         [log]\nlevel = \"info,wharf::access=warn\"\n\n\
         [modules.greeter]\ncount_limit = 1000000\n"
    )
}

async fn is_ready(management: SocketAddr) -> anyhow::Result<bool> {
    let mut sender = connect_http1(management).await?;
    Ok(sender
        .send_request(get_request(management, "/readyz")?)
        .await?
        .status()
        .is_success())
}

fn library(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
}

/// A copy under another name, complete from the moment it appears.
fn install(library: &Path, plugins: &Path, name: &str) -> anyhow::Result<()> {
    let partial = plugins.join(format!(".{name}.partial"));
    fs::copy(library, &partial).with_context(|| format!("cannot copy {}", library.display()))?;
    fs::set_permissions(&partial, Permissions::from_mode(0o700))?;
    fs::rename(&partial, self::library(plugins, name))?;
    Ok(())
}

/// Two free addresses. Both are held until both are known, so they differ.
fn free_addresses() -> std::io::Result<(SocketAddr, SocketAddr)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?, second.local_addr()?))
}
