//! Compiles a crate's `.proto` files to Rust and to a descriptor set, without `protoc` and without a
//! `build.rs`: the output is committed and a test compares it.
//!
//! A module with an API of its own adds the crate with its feature `codegen` as a dev-dependency and one
//! test, by custom in `tests/generated.rs`:
//!
//! ```no_run
//! #[test]
//! fn generated_code_is_current() {
//!     wharf_proto::codegen::Package::new(env!("CARGO_MANIFEST_DIR"), &["greeter/v1/greeter.proto"]).check().unwrap();
//! }
//! ```
//!
//! `UPDATE=1 cargo test --test generated` writes `src/gen/greeter.v1.rs` and `descriptors.bin`; without
//! `UPDATE` the test fails when either differs from what the `.proto` files say. Run it once before the
//! crate includes the generated file, since the test needs the crate to compile:
//!
//! ```ignore
//! pub mod v1 {
//!     #![allow(missing_docs, unreachable_pub, clippy::all, clippy::allow_attributes_without_reason, reason = "generated code")]
//!     include!("gen/greeter.v1.rs");
//! }
//! ```
//!
//! `import "wharf/options/v1/policy.proto"` and the files of `google/protobuf` resolve without any path.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};

use crate::PROTO_FILES;

/// The `.proto` files of one crate and the places of their output.
#[derive(Debug, Clone)]
#[must_use]
pub struct Package {
    root: PathBuf,
    files: Vec<String>,
    protos: PathBuf,
    descriptors: PathBuf,
    code: bool,
}

/// Why `.proto` files could not be compiled, or are not what is committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodegenError {
    /// A `.proto` file does not exist, does not parse or does not link.
    #[error("cannot compile the protos in {folder}: {source:?}")]
    Protos {
        /// The folder that was searched.
        folder: PathBuf,
        /// What the compiler says, with file and line.
        source: Box<protox::Error>,
    },
    /// The Rust code could not be generated.
    #[error("cannot generate rust code: {0}")]
    Rust(#[source] std::io::Error),
    /// A file could not be read or written.
    #[error("cannot access {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The committed files are not what the `.proto` files compile to.
    #[error("generated files are out of date: {}; run the same test with UPDATE=1 and commit the result", names(.0))]
    OutOfDate(Vec<PathBuf>),
}

/// Files that are compiled into the program rather than read from a folder.
struct Embedded;

impl Package {
    /// Names the crate in `root` (its `CARGO_MANIFEST_DIR`) and its files, relative to its folder `proto`.
    ///
    /// Code goes to `src/gen/<package>.rs` and the descriptor set to `descriptors.bin`, both under `root`.
    pub fn new(root: impl Into<PathBuf>, files: &[&str]) -> Self {
        Self {
            root: root.into(),
            files: files.iter().map(|file| (*file).to_owned()).collect(),
            protos: "proto".into(),
            descriptors: "descriptors.bin".into(),
            code: true,
        }
    }

    /// Writes the descriptor set and no code: for a crate that serves an API whose code is in another one.
    pub fn descriptors_only(mut self) -> Self {
        self.code = false;
        self
    }

    /// Reads the files from another folder than `proto`, relative to the root.
    pub fn protos(mut self, folder: impl Into<PathBuf>) -> Self {
        self.protos = folder.into();
        self
    }

    /// Writes the descriptor set to another file than `descriptors.bin`, relative to the root.
    pub fn descriptors(mut self, file: impl Into<PathBuf>) -> Self {
        self.descriptors = file.into();
        self
    }

    /// Compares the committed files with what the `.proto` files compile to, or rewrites them when the
    /// environment has `UPDATE=1`.
    ///
    /// # Errors
    /// [`CodegenError::OutOfDate`] names every file that is missing, differs or is generated no longer;
    /// the other variants say what could not be compiled, read or written.
    pub fn check(&self) -> Result<(), CodegenError> {
        if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
            self.update()
        } else {
            self.compare()
        }
    }

    /// Compares the committed files with what the `.proto` files compile to.
    ///
    /// # Errors
    /// As [`Package::check`].
    pub fn compare(&self) -> Result<(), CodegenError> {
        let expected = self.generate()?;
        let mut stale = self.leftovers(&expected)?;
        for (path, content) in &expected {
            match std::fs::read(self.root.join(path)) {
                Ok(found) if found == *content => {}
                Ok(_) => stale.push(path.clone()),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => stale.push(path.clone()),
                Err(source) => {
                    return Err(CodegenError::File {
                        path: path.clone(),
                        source,
                    });
                }
            }
        }
        stale.sort();
        if stale.is_empty() {
            Ok(())
        } else {
            Err(CodegenError::OutOfDate(stale))
        }
    }

    /// Writes what the `.proto` files compile to, and removes code that is generated no longer.
    ///
    /// # Errors
    /// The variants of [`CodegenError`] other than `OutOfDate`.
    pub fn update(&self) -> Result<(), CodegenError> {
        let expected = self.generate()?;
        for path in self.leftovers(&expected)? {
            std::fs::remove_file(self.root.join(&path)).map_err(|source| CodegenError::File { path, source })?;
        }
        for (path, content) in expected {
            let target = self.root.join(&path);
            let folder = target.parent().unwrap_or(&self.root);
            std::fs::create_dir_all(folder)
                .and_then(|()| std::fs::write(&target, content))
                .map_err(|source| CodegenError::File { path, source })?;
        }
        Ok(())
    }

    /// Returns every generated file: path relative to the root, and content.
    fn generate(&self) -> Result<BTreeMap<PathBuf, Vec<u8>>, CodegenError> {
        let mut compiler = self.compiler()?;
        let mut generated = if self.code { rust_code(&mut compiler)? } else { BTreeMap::new() };
        // The encoded form is taken from the compiler, since prost's own types drop options that are extensions.
        compiler.include_imports(true).include_source_info(false);
        generated.insert(self.descriptors.clone(), compiler.encode_file_descriptor_set());
        Ok(generated)
    }

    fn compiler(&self) -> Result<Compiler, CodegenError> {
        let folder = self.root.join(&self.protos);
        let mut resolver = ChainFileResolver::new();
        resolver.add(IncludeFileResolver::new(folder.clone()));
        resolver.add(Embedded);
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        for file in &self.files {
            compiler.open_file(file).map_err(|source| CodegenError::Protos {
                folder: folder.clone(),
                source: Box::new(source),
            })?;
        }
        Ok(compiler)
    }

    /// Files in `src/gen` that nothing generates any more.
    fn leftovers(&self, expected: &BTreeMap<PathBuf, Vec<u8>>) -> Result<Vec<PathBuf>, CodegenError> {
        let folder = self.root.join(GEN);
        let present = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(CodegenError::File { path: folder, source }),
        };
        let names: BTreeSet<PathBuf> = present
            .map(|entry| entry.map(|entry| Path::new(GEN).join(entry.file_name())))
            .collect::<Result<_, _>>()
            .map_err(|source| CodegenError::File { path: folder, source })?;
        Ok(names.into_iter().filter(|path| !expected.contains_key(path)).collect())
    }
}

impl FileResolver for Embedded {
    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match PROTO_FILES.iter().find(|(file, _)| *file == name) {
            Some((_, text)) => File::from_source(name, text),
            None => Err(protox::Error::file_not_found(name)),
        }
    }
}

/// Where generated code lives in a crate.
const GEN: &str = "src/gen";

/// Generates the code of the files that were asked for, not of their imports.
fn rust_code(compiler: &mut Compiler) -> Result<BTreeMap<PathBuf, Vec<u8>>, CodegenError> {
    let folder = tempfile::tempdir().map_err(CodegenError::Rust)?;
    // The comments become the docs of the generated types.
    compiler.include_imports(false).include_source_info(true);
    let own: BTreeSet<String> = compiler
        .file_descriptor_set()
        .file
        .iter()
        .map(|file| file.package().to_owned())
        .collect();
    // The generator looks into imported messages, such as Timestamp, to see what can be derived.
    compiler.include_imports(true);
    let files = compiler.file_descriptor_set();
    let mut builder = tonic_prost_build::configure().build_transport(false).out_dir(folder.path());
    // Types of this crate are used from here, except where their own code is being generated.
    if !own.contains("wharf.options.v1") {
        builder = builder.extern_path(".wharf.options.v1", "::wharf_proto::options::v1");
    }
    builder.compile_fds(files).map_err(CodegenError::Rust)?;
    let mut generated = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path()).map_err(CodegenError::Rust)? {
        let entry = entry.map_err(CodegenError::Rust)?;
        let package = entry.path().with_extension("");
        if !package.file_name().is_some_and(|name| own.contains(&*name.to_string_lossy())) {
            continue;
        }
        let content = std::fs::read(entry.path()).map_err(CodegenError::Rust)?;
        generated.insert(Path::new(GEN).join(entry.file_name()), content);
    }
    Ok(generated)
}

fn names(paths: &[PathBuf]) -> String {
    paths.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
}
