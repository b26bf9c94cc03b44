//! Builds `plugin-api/tests/fixture/module.rs` against this ABI and against changed copies of it.
//!
//! Each copy keeps the name of the crate, and a changed one has the version of the next minor, as a module of a later build has
//! them, so each fixture is a workspace of its own. They share one target folder and the lock file of this workspace, so that only the first build takes long.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use wharf_manifest::{Abi, BuildInfo, Manifest, Panic, encode_section, parse_toml};

/// What is changed in a copy of the ABI: a file, what stands there, what is put there.
type Change = (&'static str, &'static str, &'static str);

/// A build of the fixture.
pub(crate) struct Fixture {
    /// The library.
    pub(crate) library: PathBuf,
    /// What is embedded in it.
    pub(crate) manifest: Manifest,
}

const SAME: &[Change] = &[];

/// As a later 1.x would be made, and some things that no 1.x may do.
const CHANGED: &[Change] = &[
    // Allowed: a method with a default at the end of a service.
    (
        "src/services/metrics.rs",
        "    fn update(&self, series: u64, value: f64);\n",
        "    fn update(&self, series: u64, value: f64);\n\n    /// New in a later build.\n    fn forget(&self, _series: u64) {}\n",
    ),
    // Allowed: another major of a service.
    ("src/services.rs", "\"health\", 1 =>", "\"health\", 9 =>"),
    // Not allowed: another type of a field of a struct that a service takes.
    ("src/services/errors.rs", "pub kind: RStr<'a>,", "pub kind: u64,"),
    // Not allowed: another export under the same name and major.
    (
        "src/exports/http.rs",
        "pub struct HttpExport {",
        "pub struct HttpExport {\n    /// Instead of the rest.\n    pub nothing: u64,\n}\n\n/// As before.\n#[repr(C)]\n#[derive(StableAbi, Debug)]\npub struct FormerExport {",
    ),
];

/// Never allowed: the root has another layout.
const OTHER_ROOT: &[Change] = &[
    (
        "src/root.rs",
        "    pub minor: u16,\n",
        "    pub minor: u16,\n    /// New.\n    pub patch: u64,\n",
    ),
    (
        "src/root.rs",
        "AbiVersion { major: 1, minor: 0 }",
        "AbiVersion { major: 1, minor: 0, patch: 0 }",
    ),
];

/// Built against this ABI.
pub(crate) fn same() -> &'static Fixture {
    static BUILT: OnceLock<Fixture> = OnceLock::new();
    BUILT.get_or_init(|| build("same", SAME, "config = 1\nmetrics = 1\nerrors = 1\nhealth = 1"))
}

/// Built against an ABI whose services and exports differ.
pub(crate) fn changed() -> &'static Fixture {
    static BUILT: OnceLock<Fixture> = OnceLock::new();
    BUILT.get_or_init(|| build("changed", CHANGED, "config = 1\nmetrics = 1\nerrors = 1\nhealth = 9"))
}

/// Built against an ABI whose root differs.
pub(crate) fn other_root() -> &'static Fixture {
    static BUILT: OnceLock<Fixture> = OnceLock::new();
    BUILT.get_or_init(|| build("other-root", OTHER_ROOT, "config = 1"))
}

fn build(name: &str, changes: &[Change], services: &str) -> Fixture {
    // One at a time: the builds share a target folder, and two cores have nothing to gain.
    static BUILDING: Mutex<()> = Mutex::new(());
    let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
    let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("abi");
    let folder = all.join(name);
    fs::create_dir_all(folder.join("src")).unwrap();
    let lock = fs::File::create(all.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();

    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let manifest = manifest(services);
    // Packages are told apart in the target folder by name, version and path within their workspace.
    let copy = folder.join(format!("api-{name}"));
    let api = copy_api(&root.join("plugin-api"), &copy, changes);
    put(&copy.join("Cargo.toml"), api.as_bytes());
    put(&folder.join("src/manifest.bin"), &encode_section(&manifest, &[]).unwrap());
    put(
        &folder.join("src/lib.rs"),
        &fs::read(root.join("plugin-api/tests/fixture/module.rs")).unwrap(),
    );
    put(&folder.join("Cargo.toml"), cargo_toml(name).as_bytes());
    if !folder.join("Cargo.lock").exists() {
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).unwrap();
    }
    let target = all.join("target");
    let output = Command::new(env!("CARGO"))
        .args(["build", "--offline", "--quiet", "--manifest-path"])
        .arg(folder.join("Cargo.toml"))
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let library = target.join(format!("debug/libabi_fixture_{}.so", name.replace('-', "_")));
    Fixture { library, manifest }
}

/// Copies the sources with the changes, and gives the Cargo.toml that makes them a crate outside this workspace.
fn copy_api(from: &Path, to: &Path, changes: &[Change]) -> String {
    copy_sources(from, to, Path::new("src"), changes);
    for (file, before, _) in changes {
        let text = fs::read_to_string(from.join(file)).unwrap();
        assert!(
            text.contains(before),
            "{file} has no {before:?} any more: change the fixture with it"
        );
    }
    let versions = fs::read_to_string(from.join("../Cargo.toml")).unwrap();
    let abi_stable = versions.lines().find(|line| line.starts_with("abi_stable = ")).unwrap();
    format!(
        "[package]\nname = \"wharf-plugin-api\"\nversion = \"{}\"\nedition = \"2024\"\n\n[dependencies]\n{abi_stable}\n",
        version_of(&from.join("Cargo.toml"), !changes.is_empty())
    )
}

fn copy_sources(from: &Path, to: &Path, below: &Path, changes: &[Change]) {
    fs::create_dir_all(to.join(below)).unwrap();
    for entry in fs::read_dir(from.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.path().is_dir() {
            copy_sources(from, to, &path, changes);
            continue;
        }
        let mut text = fs::read_to_string(entry.path()).unwrap();
        for (_, before, after) in changes.iter().filter(|(file, ..)| Path::new(file) == path) {
            text = text.replace(before, after);
        }
        put(&to.join(path), text.as_bytes());
    }
}

/// The version of the crate, or the one of its next minor: layouts carry it, and what is compared is the major.
fn version_of(cargo_toml: &Path, next: bool) -> String {
    let text = fs::read_to_string(cargo_toml).unwrap();
    let line = text.lines().find(|line| line.starts_with("version = ")).unwrap();
    let version = line.trim_start_matches("version = ").trim_matches('"');
    let numbers: Vec<u64> = version.split('.').map(|number| number.parse().unwrap()).collect();
    let [major, minor, patch] = numbers[..] else {
        panic!("version {version:?} has no three numbers");
    };
    match next {
        true => format!("{major}.{}.0", minor + 1),
        false => format!("{major}.{minor}.{patch}"),
    }
}

fn cargo_toml(name: &str) -> String {
    let default = if name == "changed" { "\"changed\"" } else { "" };
    format!(
        r#"[package]
name = "abi-fixture-{name}"
version = "1.0.0"
edition = "2024"

[lib]
crate-type = ["cdylib"]

[features]
default = [{default}]
changed = []

[dependencies]
wharf-plugin-api = {{ path = "api-{name}" }}

[profile.dev]
debug = 0
incremental = false

[workspace]
"#
    )
}

/// Writes only what differs, so that cargo finds nothing to do the next time.
fn put(path: &Path, bytes: &[u8]) {
    if fs::read(path).is_ok_and(|found| found == bytes) {
        return;
    }
    fs::write(path, bytes).unwrap();
}

fn manifest(services: &str) -> Manifest {
    let toml = format!("id = \"abi-fixture\"\nversion = \"1.0.0\"\ndescription = \"A module made by hand\"\n\n[services]\n{services}\n");
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let build = BuildInfo {
        abi: Abi { ..wharf_host::HOST_ABI },
        sdk: "none".into(),
        rustc: "1.95.0".into(),
        target,
        panic: Panic::Unwind,
    };
    let schema = serde_json::json!({ "type": "object" });
    let with_schema = toml.clone() + "\n[config]\nschema = \"config.schema.json\"\n";
    parse_toml(&with_schema).unwrap().embed(Some(schema), build)
}
