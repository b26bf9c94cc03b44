//! Mistakes in `wharf.toml` are compile errors that say where and how to mend them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::expand;

/// The compile error for a folder with these files.
fn error(case: &str, files: &[(&str, &str)]) -> String {
    let folder = tempfile::TempDir::with_prefix(case).unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let expanded = expand(&syn::parse_str("Hello").unwrap(), folder.path());
    match expanded {
        Ok(tokens) => panic!("no error: {tokens}"),
        Err(error) => error.to_string(),
    }
}

const GOOD: &str = "id = \"hello\"\nversion = \"1.0.0\"\ndescription = \"Says hello\"\n";

#[test]
fn a_missing_manifest_is_named_with_how_to_get_one() {
    let error = error("missing", &[]);
    assert!(error.starts_with("wharf.toml cannot be read beside Cargo.toml"), "{error}");
    assert!(error.contains("help: `wharf new NAME` writes one"), "{error}");
}

#[test]
fn everything_that_is_wrong_in_a_manifest_is_told_at_once_with_its_place() {
    let text = "id = \"Hello\"\nversion = \"1\"\ndescription = \"Says hello\"\ncolour = \"blue\"\n\n[modules]\nidentity = \"^x\"\n";
    let error = error("wrong", &[("wharf.toml", text)]);
    assert!(error.starts_with("wharf.toml is not a valid manifest:"), "{error}");
    for part in ["`id`", "\"Hello\"", "`version`", "`colour`", "`modules.identity`", "\"^x\""] {
        assert!(error.contains(part), "{part} is missing in:\n{error}");
    }
    assert!(error.contains("4:1: `colour`"), "line and column:\n{error}");
}

#[test]
fn a_schema_that_is_missing_or_no_json_is_named_with_how_to_make_it() {
    let manifest = format!("{GOOD}\n[config]\nschema = \"config.schema.json\"\n");
    let missing = error("schema", &[("wharf.toml", &manifest)]);
    assert!(
        missing.contains("`config.schema.json`") && missing.contains("UPDATE=1"),
        "{missing}"
    );
    let damaged = error("damaged", &[("wharf.toml", &manifest), ("config.schema.json", "{")]);
    assert!(damaged.contains("is not JSON"), "{damaged}");
}

#[test]
fn a_descriptor_set_that_is_missing_is_named() {
    let manifest = format!("{GOOD}\n[grpc]\nservices = [\"hello.v1.Hello\"]\ndescriptors = \"d.bin\"\n");
    let error = error("descriptors", &[("wharf.toml", &manifest)]);
    assert!(error.contains("`d.bin`"), "{error}");
}

#[test]
fn the_abi_of_the_macro_is_that_of_the_plugin_api() {
    let root = include_str!("../../../../plugin-api/src/root.rs");
    assert!(root.contains("pub const ABI: AbiVersion = AbiVersion { major: 1, minor: 0 };"));
    assert!(root.contains(&format!("pub const ABI_DRAFT: bool = {};", super::ABI.draft)));
    assert_eq!((super::ABI.major, super::ABI.minor), (1, 0));
}
