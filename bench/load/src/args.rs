//! What may be typed, and what is built when no program is named.

use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

use anyhow::{Context as _, bail};
use clap::{Args, Parser, Subcommand};
use wharf_load::reload::Plan;

/// Libraries that the load needs, by package.
const PACKAGES: [&str; 4] = ["wharf", "swap-old", "swap-new", "greeter"];

/// Puts load on a real host while it is changed. Everything stays on the loopback and ends by itself.
#[derive(Debug, Parser)]
#[command(name = "wharf-load")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Swap a module between two builds while requests run; exit code 1 when a check fails
    Reload(ReloadArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ReloadArgs {
    /// How many requests at least; they go on until the last reload is over
    #[arg(long, default_value_t = 10_000)]
    requests: u64,
    /// How many reloads, spread evenly over the requests
    #[arg(long, default_value_t = 10)]
    reloads: u64,
    /// Requests at once
    #[arg(long, default_value_t = 32)]
    clients: usize,
    /// How long an old instance may finish what it has, in milliseconds
    #[arg(long, default_value_t = 2_000)]
    drain_ms: u64,
    /// Let the host watch its plugins folder beside the reloads that are asked for
    #[arg(long)]
    watch: bool,
    /// The host's binary [default: built with this program's own profile]
    #[arg(long, value_name = "PATH", requires = "libraries")]
    wharf: Option<PathBuf>,
    /// Folder with the libraries of swap-old, swap-new and greeter [default: built like the binary]
    #[arg(long, value_name = "PATH", requires = "wharf")]
    libraries: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long)]
    pub(crate) json: bool,
}

impl ReloadArgs {
    /// Builds what is missing.
    pub(crate) fn plan(&self) -> anyhow::Result<Plan> {
        let (wharf, libraries) = match (&self.wharf, &self.libraries) {
            (Some(wharf), Some(libraries)) => (std::path::absolute(wharf)?, std::path::absolute(libraries)?),
            _ => build()?,
        };
        Ok(Plan {
            wharf,
            libraries,
            requests: self.requests,
            reloads: self.reloads,
            clients: self.clients,
            drain_ms: self.drain_ms,
            watch: self.watch,
        })
    }
}

/// Builds binary and libraries into the folder this program is in.
fn build() -> anyhow::Result<(PathBuf, PathBuf)> {
    let own = std::env::current_exe().context("where this program is")?;
    let folder = own.parent().unwrap_or(Path::new(".")).to_owned();
    let mut cargo = Process::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(env!("CARGO_MANIFEST_DIR")).arg("build").stdin(Stdio::null());
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    for package in PACKAGES {
        cargo.args(["-p", package]);
    }
    let status = cargo.status().context("cannot run cargo")?;
    if !status.success() {
        bail!("cargo build of {} failed with {status}", PACKAGES.join(", "));
    }
    Ok((folder.join("wharf"), folder))
}
