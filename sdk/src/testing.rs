//! Checks for a module's own tests. The `TestHost` is in the crate `wharf-testing`.

use std::path::Path;

use schemars::JsonSchema;
use wharf_plugin_api::exports::http::RouteFlags;

use crate::module::Module;

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

/// Holds the OpenAPI document of a module against its routes. `export_module!` writes a test that calls it. A module without a document
/// passes; routes that are hidden or take every method need not be in it.
///
/// # Panics
/// When an operation is no route, or a route is no operation.
#[allow(clippy::panic, reason = "this is an assertion for tests")]
pub fn check_openapi<M: Module>() {
    let Some(document) = M::openapi().into_document() else { return };
    let said = crate::openapi::operations(&document);
    let routes = M::routes();
    let shown = routes
        .table()
        .iter()
        .filter(|route| route.method != "*" && !route.flags.has(RouteFlags::HIDDEN));
    let mut served: Vec<String> = shown.map(|route| format!("{} {}", route.method, route.template)).collect();
    served.sort();
    let missing: Vec<_> = served.iter().filter(|route| !said.contains(route)).collect();
    let unknown: Vec<_> = said.iter().filter(|route| !served.contains(route)).collect();
    if !missing.is_empty() || !unknown.is_empty() {
        panic!("routes that are not in the OpenAPI document: {missing:?}; operations that are no routes: {unknown:?}");
    }
}
