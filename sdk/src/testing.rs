//! Checks for a module's own tests. The `TestHost` is in the crate `wharf-testing`.

use std::path::Path;

use schemars::JsonSchema;

/// Compares the committed config schema with the type. `export_module!` writes a test that calls it.
///
/// # Panics
/// When they differ; with `UPDATE=1` in the environment the file is rewritten instead.
#[allow(clippy::panic, reason = "this is an assertion for tests")]
pub fn check_config_schema<C: JsonSchema>(path: &str) {
    let schema = schemars::schema_for!(C);
    let mut wanted = serde_json::to_string_pretty(&schema).unwrap_or_default();
    wanted.push('\n');
    let path = Path::new(path);
    let found = std::fs::read_to_string(path).unwrap_or_default();
    if found == wanted {
        return;
    }
    if std::env::var_os("UPDATE").is_some_and(|v| v == "1") {
        if let Err(error) = std::fs::write(path, wanted) {
            panic!("{} cannot be written: {error}", path.display());
        }
        return;
    }
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    panic!(
        "{name} is not the schema of the config type any more; run `UPDATE=1 cargo test config_schema` and commit it. It should be:\n{wanted}"
    );
}
