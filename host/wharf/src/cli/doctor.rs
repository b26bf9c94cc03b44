//! `wharf doctor`: looks for what would keep a host from running well, and changes nothing.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde::Serialize;
use wharf_host::admin::SecuritySource;
use wharf_host::config::Config;
use wharf_host::domain::status::HostStatus;
use wharf_host::telemetry::Directives;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

/// Open files a host with many connections needs.
const OPEN_FILES: u64 = 4_096;

/// One thing that was looked at.
#[derive(Serialize)]
struct Check {
    what: &'static str,
    verdict: Verdict,
    found: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    hint: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warning,
    Error,
}

pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let mut checks = Vec::new();
    match Config::load(&context.load_options(false)) {
        Ok(config) => {
            checks.push(ok("configuration", "sound"));
            check_log(&config, &mut checks);
            let running = check_host(context, &mut checks).await?;
            check_folders(&config, &mut checks);
            check_ports(&config, running, &mut checks);
        }
        Err(error) => checks.push(error_in("configuration", error.to_string(), error.hint())),
    }
    checks.push(open_files());
    checks.push(tool("cargo"));
    checks.push(tool("rustc"));
    context.emit(&checks, |checks| {
        let rows = checks
            .iter()
            .map(|c| vec![render::word(c.verdict), c.what.to_owned(), c.found.clone(), c.hint.clone()]);
        render::table(&["RESULT", "CHECK", "FOUND", "HINT"], rows)
    });
    let bad = checks.iter().any(|check| check.verdict == Verdict::Error);
    Ok(if bad { Exit::Findings } else { Exit::Ok })
}

fn check_log(config: &Config, checks: &mut Vec<Check>) {
    if let Err(error) = Directives::parse(&config.log.level) {
        checks.push(error_in("log.level", error.to_string(), "such as \"info,blog=debug\""));
    }
}

/// Whether a host runs, and how it is.
async fn check_host(context: &Context, checks: &mut Vec<Check>) -> Result<bool, Failure> {
    let (check, running) = match context.client()?.get::<HostStatus>("/status").await {
        Ok(status) => {
            let found = format!(
                "{} runs as process {}, {} modules, {} thread keys left",
                status.node,
                status.pid,
                status.modules.len(),
                status.thread_keys_left
            );
            let few = status.thread_keys_left < 128;
            (
                if few {
                    warning("host", found, "restart the host before it refuses to load modules")
                } else {
                    ok("host", found)
                },
                true,
            )
        }
        Err(failure) if failure.exit == Exit::NoHost => (ok("host", "none runs"), false),
        Err(failure) => (error_in("host", failure.message, failure.hint), true),
    };
    checks.push(check);
    // An older host has none to show.
    if running && let Ok(sources) = context.client()?.get::<Vec<SecuritySource>>("/security").await {
        checks.extend(sources.into_iter().map(source));
    }
    Ok(running)
}

/// How old what the host knows of callers is.
fn source(source: SecuritySource) -> Check {
    match source.fresh {
        true => ok("security", source.text),
        false => warning("security", source.text, "`wharf modules show auth` and `authz` say why"),
    }
}

fn check_folders(config: &Config, checks: &mut Vec<Check>) {
    checks.push(folder(
        "data_dir",
        &config.data_dir,
        0o077,
        "chmod 700 it: it holds the host's state",
    ));
    checks.push(folder(
        "plugins folder",
        &config.plugins_dir(),
        0o022,
        "chmod go-w it: who can write there can run code in the host",
    ));
}

fn folder(what: &'static str, path: &Path, forbidden: u32, hint: &str) -> Check {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return ok(what, format!("{shown} is not there yet; the host makes it"));
        }
        Err(error) => return error_in(what, format!("{shown}: {error}"), "give the host's user the right to read it"),
    };
    let own = rustix::process::geteuid().as_raw();
    if !metadata.is_dir() {
        return error_in(what, format!("{shown} is no folder"), "name another one in the configuration");
    }
    if metadata.uid() != own && metadata.uid() != 0 {
        return error_in(
            what,
            format!("{shown} belongs to user {}, expected {own} or root", metadata.uid()),
            "chown it",
        );
    }
    let mode = metadata.mode() & 0o777;
    if mode & forbidden != 0 {
        return error_in(what, format!("{shown} has mode {mode:o}"), hint);
    }
    ok(what, format!("{shown}, mode {mode:o}"))
}

/// With a host running its ports are taken, as they should be.
fn check_ports(config: &Config, running: bool, checks: &mut Vec<Check>) {
    if running {
        return;
    }
    checks.push(port("http.listen", config.http.address()));
    if config.management.enabled {
        checks.push(port("management.listen", config.management.listen));
    }
}

fn port(what: &'static str, address: SocketAddr) -> Check {
    match TcpListener::bind(address) {
        Ok(_) => ok(what, format!("{address} is free")),
        Err(error) => error_in(
            what,
            format!("{address}: {error}"),
            "stop what listens there, or choose another address",
        ),
    }
}

fn open_files() -> Check {
    match rustix::process::getrlimit(rustix::process::Resource::Nofile).current {
        Some(limit) if limit < OPEN_FILES => warning(
            "open files",
            format!("limit {limit}, expected {OPEN_FILES} or more for many connections"),
            "raise it (ulimit -n, LimitNOFILE)",
        ),
        Some(limit) => ok("open files", format!("limit {limit}")),
        None => ok("open files", "no limit"),
    }
}

/// Needed by `wharf new` and `wharf dev` only.
fn tool(name: &'static str) -> Check {
    match Command::new(name).arg("--version").output() {
        Ok(output) if output.status.success() => ok(name, String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        _ => warning(name, "does not run", "install Rust to write modules; a host needs none"),
    }
}

fn ok(what: &'static str, found: impl Into<String>) -> Check {
    Check {
        what,
        verdict: Verdict::Ok,
        found: found.into(),
        hint: String::new(),
    }
}

fn warning(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Check {
    Check {
        what,
        verdict: Verdict::Warning,
        found: found.into(),
        hint: hint.into(),
    }
}

fn error_in(what: &'static str, found: impl Into<String>, hint: impl Into<String>) -> Check {
    Check {
        what,
        verdict: Verdict::Error,
        found: found.into(),
        hint: hint.into(),
    }
}
