//! Mistakes authors make get errors they can read. `TRYBUILD=overwrite cargo test -p wharf-sdk --test ui` writes the `.stderr`
//! files. Mistakes in `wharf.toml` are in `sdk/macros/src/embed/tests.rs`, which needs no compiler.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

#[test]
fn mistakes_of_authors_are_named() {
    // The cases are compiled as a crate of their own below the target folder, and the macro reads the manifest beside its
    // Cargo.toml.
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("../tests/trybuild/wharf-sdk");
    std::fs::create_dir_all(&project).unwrap();
    std::fs::copy(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui/wharf.toml"),
        project.join("wharf.toml"),
    )
    .unwrap();
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
