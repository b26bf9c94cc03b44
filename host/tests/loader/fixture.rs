//! Libraries made for these tests: real ones from a C compiler, with a manifest section of any content.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};

use serde_json::json;
use tempfile::TempDir;
use wharf_host::domain::finding::Finding;
use wharf_host::modules::inspect::InspectRules;
use wharf_host::modules::place::PlaceRules;
use wharf_host::modules::trust::{TrustMode, TrustPolicy};
use wharf_host::modules::verify::VerifyContext;
use wharf_manifest::{Abi, BuildInfo, Manifest, Panic, encode_section, parse_toml};

/// The ABI of the host in these tests.
pub(crate) const ABI: Abi = Abi {
    major: 1,
    minor: 0,
    draft: false,
};

/// What the C compiler is asked for.
pub(crate) struct Library {
    /// `(section name, content)`, in this order.
    pub(crate) sections: Vec<(String, Vec<u8>)>,
    /// Exported symbols.
    pub(crate) exports: Vec<String>,
    /// More C.
    pub(crate) code: String,
    /// In place of `-shared -nostdlib`.
    pub(crate) kind: Vec<String>,
    /// More arguments, after the source.
    pub(crate) arguments: Vec<String>,
}

/// A manifest with this id and version that asks for nothing.
pub(crate) fn manifest(id: &str, version: &str) -> Manifest {
    manifest_from(&format!("id = {id:?}\nversion = {version:?}\ndescription = \"A test module\"\n"))
}

/// A manifest from the text of a wharf.toml.
pub(crate) fn manifest_from(toml: &str) -> Manifest {
    let build = BuildInfo {
        abi: ABI,
        sdk: "0.1.0".into(),
        rustc: "1.95.0".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        panic: Panic::Unwind,
    };
    parse_toml(toml).unwrap().embed(None, build)
}

impl Library {
    /// A good library with this manifest.
    pub(crate) fn with(manifest: &Manifest) -> Self {
        Self::with_section(&manifest.root_symbol(), encode_section(manifest, &[]).unwrap())
    }

    /// A library with this root symbol and manifest section.
    pub(crate) fn with_section(root: &str, section: Vec<u8>) -> Self {
        Self {
            sections: vec![(".wharf.manifest".into(), section)],
            exports: vec![root.into()],
            code: String::new(),
            kind: ["-shared", "-nostdlib", "-fPIC"].map(String::from).into(),
            arguments: Vec::new(),
        }
    }

    pub(crate) fn arguments(mut self, arguments: &[&str]) -> Self {
        self.arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        self
    }

    /// Compiles and returns the bytes.
    pub(crate) fn build(&self) -> Vec<u8> {
        let folder = TempDir::new().unwrap();
        let mut source = String::new();
        for (index, (name, content)) in self.sections.iter().enumerate() {
            let file = folder.path().join(format!("section-{index}"));
            fs::write(&file, content).unwrap();
            let file = file.display();
            source.push_str(&format!(
                "__asm__(\".pushsection {name},\\\"a\\\"\\n.incbin \\\"{file}\\\"\\n.popsection\");\n"
            ));
        }
        for name in &self.exports {
            source.push_str(&format!("const int {name} = 1;\n"));
        }
        source.push_str(&self.code);
        source.push('\n');
        let (c, out) = (folder.path().join("module.c"), folder.path().join("module.so"));
        fs::write(&c, source).unwrap();
        let mut compiler = Command::new("cc");
        compiler
            .args(&self.kind)
            .args(["-Wl,--build-id=sha1", "-Wl,-z,noexecstack", "-o"])
            .arg(&out)
            .arg(&c)
            .args(&self.arguments);
        let output = compiler.output().expect("these tests need a C compiler called cc");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        fs::read(out).unwrap()
    }
}

/// A good library of module `good` 1.2.3, compiled once.
pub(crate) fn good() -> Vec<u8> {
    static GOOD: OnceLock<Vec<u8>> = OnceLock::new();
    GOOD.get_or_init(|| Library::with(&manifest("good", "1.2.3")).build()).clone()
}

/// A folder for modules, checked like any other: it lies in the system's folder for temporary files.
pub(crate) struct Plugins(TempDir);

impl Plugins {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        // Whatever the umask of whoever runs the tests.
        set_mode(folder.path(), 0o755);
        Self(folder)
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file with mode 0644 and returns its path.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, bytes).unwrap();
        set_mode(&path, 0o644);
        path
    }
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A context that trusts everything and has the core services `config` 1, `log` 1 and 2.
pub(crate) fn context() -> VerifyContext {
    VerifyContext {
        place: PlaceRules {
            private_group: None,
            ..PlaceRules::default()
        },
        trust: Arc::new(TrustPolicy {
            mode: TrustMode::Any,
            ..TrustPolicy::default()
        }),
        inspect: InspectRules::default(),
        abi: ABI,
        services: [("config".to_owned(), [1].into()), ("log".to_owned(), [1, 2].into())].into(),
        configs: [("unused".to_owned(), json!({"a": 1}))].into(),
        now: "2026-06-01T12:00:00Z".parse().unwrap(),
    }
}

/// The codes of findings, in order.
pub(crate) fn codes(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.code.as_str()).collect()
}
