//! Stage 6: each thing that can be wrong with a library that stages 1 to 5 let pass has a code of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use wharf_host::modules::open::OpenError;
use wharf_manifest::{Manifest, encode_section};
use wharf_testing::{StartError, TestHost};

use crate::fixture::{other_root, same};
use crate::rig::open_alone;

/// The one finding of a host that was given this library.
async fn finding(library: &Path) -> (String, String) {
    let refused = TestHost::builder().library(library).try_start().await.unwrap_err();
    let StartError::Findings(findings) = refused else {
        panic!("{refused}")
    };
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(!findings[0].what.contains('\n') && !findings[0].fix.is_empty(), "{findings:?}");
    (findings[0].code.clone(), findings[0].what.clone())
}

/// A library from a C compiler with the fixture's manifest.
fn in_c(folder: &TempDir, code: &str) -> PathBuf {
    let (section, source) = (folder.path().join("section"), folder.path().join("module.c"));
    fs::write(&section, encode_section(&same().manifest, &[]).unwrap()).unwrap();
    let embed = format!(
        "__asm__(\".pushsection .wharf.manifest,\\\"a\\\"\\n.incbin \\\"{}\\\"\\n.popsection\");\n{code}\n",
        section.display()
    );
    fs::write(&source, embed).unwrap();
    let library = folder.path().join("module.so");
    let output = Command::new("cc")
        .args(["-shared", "-nostdlib", "-fPIC", "-Wl,--build-id=sha1", "-Wl,-z,noexecstack", "-o"])
        .args([&library, &source])
        .output()
        .expect("these tests need a C compiler called cc");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// The fixture with other bytes in its section, of the same length.
fn patched(folder: &TempDir, before: &str, after: &str) -> PathBuf {
    assert_eq!(before.len(), after.len());
    let mut bytes = fs::read(&same().library).unwrap();
    let places: Vec<usize> = section_of(&bytes, before.as_bytes());
    for place in places {
        bytes[place..place + after.len()].copy_from_slice(after.as_bytes());
    }
    let library = folder.path().join("patched.so");
    fs::write(&library, bytes).unwrap();
    library
}

/// Where `text` stands in the section with the manifest, and nowhere else.
fn section_of(bytes: &[u8], text: &[u8]) -> Vec<usize> {
    use object::{Object, ObjectSection};
    let file = object::File::parse(bytes).unwrap();
    let (start, size) = file.section_by_name(".wharf.manifest").unwrap().file_range().unwrap();
    let (start, end) = (start as usize, (start + size) as usize);
    let found: Vec<usize> = (start..end - text.len())
        .filter(|at| &bytes[*at..at + text.len()] == text)
        .collect();
    assert!(!found.is_empty());
    found
}

#[tokio::test]
async fn a_sound_fixture_starts() {
    let host = TestHost::builder().library(&same().library).start().await;
    assert_eq!(host.status("abi-fixture").health, "serving");
    assert_eq!(host.stop().await, [""; 0]);
}

#[tokio::test]
async fn a_root_of_another_layout_is_refused_by_name() {
    let (code, what) = finding(&other_root().library).await;
    assert_eq!(code, "open.layout");
    assert!(what.contains("Root") && what.contains("AbiVersion"), "{what}");
    assert!(what.len() < 600, "{} bytes: {what}", what.len());
}

#[tokio::test]
async fn a_manifest_that_is_not_the_one_returned_is_refused() {
    let folder = TempDir::new().unwrap();
    let library = patched(&folder, "A module made by hand", "A module of somebody.");
    assert_eq!(finding(&library).await.0, "open.manifest");
}

#[tokio::test]
async fn a_root_symbol_that_the_manifest_does_not_name_is_seen_before_anything_runs_and_again_after() {
    let folder = TempDir::new().unwrap();
    let library = patched(&folder, "\"id\":\"abi-fixture\"", "\"id\":\"abi-figment\"");
    assert_eq!(finding(&library).await.0, "inspect.root-symbol");
    let manifest = Manifest {
        id: "abi-figment".to_owned(),
        ..same().manifest.clone()
    };
    let error = open_alone(&library, &manifest).map(|_| ()).unwrap_err();
    assert!(matches!(error, OpenError::NoRoot(_)), "{error}");
    assert_eq!(error.code(), "open.no-root");
    assert!(error.to_string().contains("wharf_root_v1_abi_figment"), "{error}");
}

#[tokio::test]
async fn an_unresolved_symbol_is_named() {
    let folder = TempDir::new().unwrap();
    let library = in_c(
        &folder,
        "extern int nobody_has_this(void);\nconst char wharf_root_v1_abi_fixture[256];\nint call(void) { return nobody_has_this(); }",
    );
    let (code, what) = finding(&library).await;
    assert_eq!(code, "open.unresolved-symbol");
    assert!(what.contains("nobody_has_this"), "{what}");
}

#[tokio::test]
async fn something_else_behind_the_root_symbol_is_refused() {
    let folder = TempDir::new().unwrap();
    let library = in_c(&folder, "const char wharf_root_v1_abi_fixture[256] = \"no header\";");
    assert_eq!(finding(&library).await.0, "open.header");
}

#[tokio::test]
async fn a_library_that_cannot_be_mapped_is_refused() {
    let folder = TempDir::new().unwrap();
    let library = folder.path().join("no.so");
    fs::write(&library, "no library").unwrap();
    let error = open_alone(&library, &same().manifest).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "open.linker", "{error}");
}

#[tokio::test]
async fn a_root_symbol_that_leads_into_another_library_is_refused() {
    let folder = TempDir::new().unwrap();
    // Stage 3 sees a symbol in this file; where it leads is decided by code that runs when the library is opened.
    let code = "extern int getpid(void);\nstatic void *elsewhere(void) { return (void *)getpid; }\n\
                void wharf_root_v1_abi_fixture(void) __attribute__((ifunc(\"elsewhere\")));";
    let error = open_alone(&in_c(&folder, code), &same().manifest).map(|_| ()).unwrap_err();
    assert_eq!(error.code(), "open.other-library", "{error}");
    assert!(error.to_string().contains("libc.so"), "{error}");
}

#[tokio::test]
async fn a_load_that_would_take_the_last_thread_keys_is_refused() {
    let refused = TestHost::builder()
        .library(&same().library)
        .configure(|config| config.plugins.reserve_thread_keys = 1024)
        .try_start()
        .await
        .unwrap_err();
    let StartError::Findings(findings) = refused else {
        panic!("{refused}")
    };
    assert_eq!(findings[0].code, "open.thread-keys", "{findings:?}");
    assert!(findings[0].what.contains("1024"), "{findings:?}");
}
