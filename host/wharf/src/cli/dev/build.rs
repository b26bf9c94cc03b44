//! Finds a module's package and builds it with cargo.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde::Deserialize;
use tokio::process::Command;

use super::super::exit::Failure;

/// A package that is a module.
#[derive(Debug)]
pub(super) struct Package {
    pub(super) name: String,
    /// Its folder.
    pub(super) folder: PathBuf,
    /// Where cargo puts what it builds; changes there are no changes.
    pub(super) target: PathBuf,
    /// Whether it is part of a clone of Wharf.
    pub(super) in_clone: bool,
}

/// How a build went. Compile errors are on the terminal already.
pub(super) enum Built {
    Library(PathBuf),
    Failed,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<MetadataPackage>,
    target_directory: PathBuf,
}

#[derive(Deserialize)]
struct MetadataPackage {
    name: String,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Message {
    reason: String,
    manifest_path: Option<PathBuf>,
    #[serde(default)]
    filenames: Vec<PathBuf>,
}

impl Package {
    /// Asks cargo where the package is.
    pub(super) async fn find(name: &str) -> Result<Self, Failure> {
        let mut command = Command::new(cargo());
        command.args(["metadata", "--no-deps", "--format-version=1"]);
        let output = run(command).await?;
        let metadata: Metadata = serde_json::from_slice(&output.stdout).map_err(|_| {
            Failure::failed(
                "cargo metadata",
                "it names no packages",
                "run this in a clone of Wharf or in the folder of a module",
            )
        })?;
        let package = metadata.packages.iter().find(|package| package.name == name).ok_or_else(|| {
            let known: Vec<&str> = metadata.packages.iter().map(|p| p.name.as_str()).collect();
            Failure::usage(
                format!("found no package {name:?}, expected one of: {}", known.join(", ")),
                "`wharf new NAME` makes one",
            )
        })?;
        let folder = package.manifest_path.parent().map(Path::to_owned).unwrap_or_default();
        if !folder.join("wharf.toml").is_file() {
            return Err(Failure::usage(
                format!("found no wharf.toml in {}, so {name:?} is no module", folder.display()),
                "`wharf new NAME` makes one",
            ));
        }
        Ok(Self {
            name: name.to_owned(),
            folder,
            target: metadata.target_directory,
            in_clone: metadata.packages.iter().any(|package| package.name == "wharf-sdk"),
        })
    }

    /// The id in its wharf.toml.
    pub(super) fn module_id(&self) -> Result<String, Failure> {
        let path = self.folder.join("wharf.toml");
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        let table: toml::Table = toml::from_str(&text).unwrap_or_default();
        match table.get("id").and_then(toml::Value::as_str) {
            Some(id) => Ok(id.to_owned()),
            None => Err(Failure::failed(&path.display().to_string(), "it has no id", "add id = \"...\"")),
        }
    }
}

/// Builds the package. Compile errors go to standard error as cargo writes them.
pub(super) async fn build(package: &Package, release: bool) -> Result<Built, Failure> {
    let mut command = Command::new(cargo());
    // In a clone the same command as `make run`: cargo would build what all crates share once more, with other features,
    // for a package that is built alone.
    let what: &[&str] = if package.in_clone {
        &["--workspace", "--lib", "--bins"]
    } else {
        &["-p", &package.name]
    };
    command
        .arg("build")
        .args(what)
        .arg("--message-format=json-render-diagnostics")
        .args(release.then_some("--release"))
        .current_dir(&package.folder);
    let output = run(command).await?;
    if !output.status.success() {
        return Ok(Built::Failed);
    }
    let text = String::from_utf8_lossy(&output.stdout);
    library_in(&text, &package.folder.join("Cargo.toml"))
        .map(Built::Library)
        .ok_or_else(|| {
            Failure::failed(
                &format!("{} was built", package.name),
                "it is no shared library",
                "write crate-type = [\"cdylib\", \"rlib\"] below [lib]",
            )
        })
}

/// Runs cargo. What it says on standard error goes to the terminal; `Command::output` would keep that to itself.
async fn run(mut command: Command) -> Result<Output, Failure> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let running = async { command.spawn()?.wait_with_output().await };
    running
        .await
        .map_err(|e| Failure::failed("cannot run cargo", &e.to_string(), "install Rust, or set CARGO"))
}

/// The shared library among the artifacts of a package.
fn library_in(messages: &str, manifest: &Path) -> Option<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Message>(line).ok())
        .filter(|message| message.reason == "compiler-artifact" && message.manifest_path.as_deref() == Some(manifest))
        .flat_map(|message| message.filenames)
        .find(|file| file.extension().is_some_and(|extension| extension == "so" || extension == "dylib"))
}

fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_of_the_package_is_found_among_others() {
        let messages = r#"{"reason":"compiler-artifact","manifest_path":"/w/other/Cargo.toml","filenames":["/t/libother.so"]}
not json
{"reason":"compiler-artifact","manifest_path":"/w/blog/Cargo.toml","filenames":["/t/build-script"]}
{"reason":"compiler-artifact","manifest_path":"/w/blog/Cargo.toml","filenames":["/t/libblog.rlib","/t/libblog.so"]}
{"reason":"build-finished","success":true}"#;
        assert_eq!(library_in(messages, Path::new("/w/blog/Cargo.toml")), Some("/t/libblog.so".into()));
        assert_eq!(library_in(messages, Path::new("/w/none/Cargo.toml")), None);
    }
}
