//! Puts a library into the plugins folder of a running host and waits for what becomes of it.

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use wharf_host::domain::finding::{Finding, Severity};
use wharf_host::domain::status::{ModuleStatus, State};
use wharf_host::modules::control::Plan;

use super::super::client::AdminClient;
use super::super::exit::{Exit, Failure};
use super::super::render;

/// How long the host may take to swap.
const SWAP: Duration = Duration::from_secs(90);
/// How often it is asked meanwhile.
const ASK: Duration = Duration::from_millis(50);

/// What became of a library.
pub(super) enum Swapped {
    /// It serves.
    Running(Box<ModuleStatus>),
    /// It was serving already.
    Unchanged,
    /// The host did not take it, and this is why.
    Refused(String),
}

/// Copies the library into the folder, at once as far as the host can see, and waits.
pub(super) async fn swap(client: &AdminClient, id: &str, library: &Path, plugins: &Path) -> Result<Swapped, Failure> {
    let before = status(client, id).await?;
    let since = Timestamp::now();
    let name = library.file_name().unwrap_or_default().to_owned();
    let (from, into, file) = (library.to_owned(), plugins.to_owned(), name.clone());
    // A library may have a hundred megabytes.
    let copied = tokio::task::spawn_blocking(move || install(&from, &into, &file)).await;
    copied.map_err(io::Error::other).and_then(|done| done).map_err(|e| {
        Failure::failed(
            &format!("cannot copy {} to {}", library.display(), plugins.display()),
            &e.to_string(),
            "run this as the host's user",
        )
    })?;
    let plan: Plan = client.post("/rescan").await?;
    if let Some(why) = refusal(&plan, id, &name).or_else(|| not_run(&plan, id, plugins)) {
        return Ok(Swapped::Refused(why));
    }
    let generation = before.as_ref().map_or(0, |module| module.generation);
    let keeps = before.is_some() && plan.order.iter().any(|m| m.id == id && m.action == "keep");
    wait(client, id, generation, since, keeps).await
}

async fn wait(client: &AdminClient, id: &str, generation: u64, since: Timestamp, keeps: bool) -> Result<Swapped, Failure> {
    let deadline = Instant::now() + SWAP;
    loop {
        if let Some(module) = status(client, id).await? {
            if module.generation > generation && module.state == State::Running {
                return Ok(Swapped::Running(Box::new(module)));
            }
            let failed: Vec<&str> = module
                .messages
                .iter()
                .filter(|m| m.level == "error" && m.at >= since)
                .map(|m| m.text.as_str())
                .collect();
            if !failed.is_empty() || matches!(module.state, State::Failed | State::Quarantined) {
                return Ok(Swapped::Refused(failed.join("\n")));
            }
            if keeps && module.state == State::Running {
                return Ok(Swapped::Unchanged);
            }
            if module.state == State::Disabled {
                return Ok(Swapped::Refused(format!("{id} is disabled; `wharf modules enable {id}` runs it")));
            }
        }
        if Instant::now() >= deadline {
            return Ok(Swapped::Refused(format!(
                "it did not run within {} s; see the host's log",
                SWAP.as_secs()
            )));
        }
        tokio::time::sleep(ASK).await;
    }
}

/// The status of a module; `None` while the host knows none with this id.
async fn status(client: &AdminClient, id: &str) -> Result<Option<ModuleStatus>, Failure> {
    match client.get(&format!("/modules/{id}")).await {
        Ok(module) => Ok(Some(module)),
        Err(failure) if failure.exit == Exit::Refused && failure.code == "module.unknown" => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Errors the loading stages found in this module or file.
fn refusal(plan: &Plan, id: &str, file: &OsStr) -> Option<String> {
    let about = |f: &&Finding| {
        f.severity == Severity::Error && (f.module.as_deref() == Some(id) || f.file.as_deref().and_then(Path::file_name) == Some(file))
    };
    let found: Vec<String> = plan.findings.iter().filter(about).map(render::finding).collect();
    (!found.is_empty()).then(|| found.join("\n"))
}

/// Why the host will not run it, when nothing is wrong with it.
fn not_run(plan: &Plan, id: &str, plugins: &Path) -> Option<String> {
    let Some(row) = plan.order.iter().find(|module| module.id == id) else {
        return Some(format!("the host sees no module {id}; does it look into {}?", plugins.display()));
    };
    let reason = || row.reason.clone().unwrap_or_else(|| "the host gave no reason".to_owned());
    matches!(row.action.as_str(), "skip" | "refuse").then(reason)
}

/// A name that begins with a dot is a file on its way in, which the host leaves alone; the rename is the moment it appears.
fn install(library: &Path, plugins: &Path, name: &OsStr) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(plugins)?;
    let mut temporary = std::ffi::OsString::from(format!(".{}-", std::process::id()));
    temporary.push(name);
    let temporary = plugins.join(temporary);
    let copied = copy(library, &temporary).and_then(|()| fs::rename(&temporary, plugins.join(name)));
    if copied.is_err() {
        drop(fs::remove_file(&temporary));
    }
    copied
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut source = fs::File::open(from)?;
    let mut target = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(to)?;
    io::copy(&mut source, &mut target)?;
    target.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    use wharf_host::modules::control::PlannedModule;

    use super::*;

    #[test]
    fn what_will_not_run_is_not_waited_for() {
        let row = |action: &str| PlannedModule {
            id: "x".to_owned(),
            version: "1.0.0".to_owned(),
            file: None,
            hash: None,
            action: action.to_owned(),
            reason: Some("disabled by an operator".to_owned()),
            asks: Vec::new(),
        };
        let why = |order| {
            not_run(
                &Plan {
                    order,
                    findings: Vec::new(),
                },
                "x",
                Path::new("/p"),
            )
        };
        for action in ["load", "replace", "keep"] {
            assert_eq!(why(vec![row(action)]), None, "{action}");
        }
        assert_eq!(why(vec![row("skip")]).as_deref(), Some("disabled by an operator"));
        assert_eq!(why(Vec::new()).as_deref(), Some("the host sees no module x; does it look into /p?"));
    }

    #[test]
    fn a_library_appears_whole_private_and_as_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let (library, plugins) = (folder.path().join("libx.so"), folder.path().join("plugins"));
        fs::write(&library, "one").unwrap();
        install(&library, &plugins, OsStr::new("libx.so")).unwrap();
        let first = fs::metadata(plugins.join("libx.so")).unwrap().ino();
        fs::write(&library, "two").unwrap();
        install(&library, &plugins, OsStr::new("libx.so")).unwrap();
        let second = fs::metadata(plugins.join("libx.so")).unwrap();
        assert_eq!(fs::read_to_string(plugins.join("libx.so")).unwrap(), "two");
        assert_ne!(first, second.ino(), "written in place under the host's eyes");
        assert_eq!(second.permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&plugins).unwrap().count(), 1, "a temporary file was left");
    }
}
