//! The whole document: paths of all modules, and what they have in common.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::merge::Described;
use super::rpc;
use crate::domain::route::{Lane, Policy};
use crate::http::routes::RouteTable;
use crate::modules::control::RouteRow;

/// Name of the way to authenticate.
const BEARER: &str = "bearer";
/// Name of the schema of what goes wrong.
const PROBLEM: &str = "Problem";

/// The OpenAPI 3.1 document of a route table.
#[must_use]
pub fn whole(table: &RouteTable) -> Value {
    let mut described: BTreeMap<&str, (&str, Described)> = table
        .documents()
        .iter()
        .map(|document| {
            (
                &*document.module,
                (&*document.prefix, Described::of(&document.module, &document.value)),
            )
        })
        .collect();
    let mut paths: Map<String, Value> = Map::new();
    let mut components = Map::new();
    let mut tags: Vec<&str> = Vec::new();
    for row in table.rows().iter().filter(|row| !row.hidden) {
        if tags.last() != Some(&row.module.as_str()) {
            tags.push(&row.module);
        }
        let operation = match row.lane {
            Lane::Grpc => table
                .grpc(&row.path)
                .and_then(|entry| entry.rpc.as_ref())
                .and_then(|method| rpc::operation(method, &mut components)),
            Lane::Http => {
                let module = described.get_mut(row.module.as_str());
                let found = module.and_then(|(prefix, module)| module.take(&row.method, below(prefix, &row.path)));
                (row.method != "*").then(|| found.unwrap_or_else(|| unknown(&row.method)))
            }
        };
        let Some(mut operation) = operation else { continue };
        let path = plain(&row.path);
        finish(&mut operation, row, &path);
        if let Some(item) = paths.entry(path).or_insert_with(|| json!({})).as_object_mut() {
            item.insert(row.method.to_lowercase(), operation);
        }
    }
    let mut sections = json!({
        "schemas": { PROBLEM: problem() },
        "securitySchemes": { BEARER: {
            "type": "http",
            "scheme": "bearer",
            "description": "An access token (RFC 9068) of `POST /auth/v1/sessions` or `POST /auth/v1/token`, or an API key."
        } }
    });
    for (_, module) in described.into_values() {
        module.give_components(&mut sections);
    }
    if let Some(schemas) = sections.get_mut("schemas").and_then(Value::as_object_mut) {
        schemas.append(&mut components);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Wharf",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Everything that the modules of this host serve. Unary gRPC methods are here as the JSON they take (Connect)."
        },
        "servers": [{ "url": "/" }],
        "tags": tags.iter().map(|id| json!({ "name": id })).collect::<Vec<_>>(),
        "paths": paths,
        "components": sections
    })
}

/// A path as the module knows it.
fn below<'a>(prefix: &str, path: &'a str) -> &'a str {
    match path.strip_prefix(prefix) {
        Some("") | None => "/",
        Some(rest) => rest,
    }
}

/// `/files/{*path}` as OpenAPI writes it.
pub(super) fn plain(template: &str) -> String {
    template.replace("{*", "{")
}

/// A route of which nothing is known but that it is there.
fn unknown(method: &str) -> Value {
    let responses = json!({ "default": { "description": "Not described by the module" } });
    if matches!(method, "POST" | "PUT" | "PATCH") {
        json!({ "responses": responses, "requestBody": { "required": false, "content": { "*/*": {} } } })
    } else {
        json!({ "responses": responses })
    }
}

/// Adds what the host knows.
fn finish(operation: &mut Value, row: &RouteRow, path: &str) {
    let RouteRow {
        module,
        method,
        policy,
        lane,
        ..
    } = row;
    let Some(fields) = operation.as_object_mut() else { return };
    let id = match fields.get("operationId").and_then(Value::as_str) {
        Some(id) => format!("{module}.{id}"),
        None => format!("{module}.{}{}", method.to_lowercase(), path.replace(['/', '{', '}', '.'], "_")),
    };
    fields.insert("operationId".to_owned(), id.into());
    fields.insert("tags".to_owned(), json!([module]));
    fields.insert("security".to_owned(), security(policy));
    if let Policy::Require(permission) = policy {
        fields.insert("x-wharf-permission".to_owned(), permission.as_str().into());
    }
    name_parameters(fields, path);
    let answers = fields.entry("responses").or_insert_with(|| json!({}));
    let Some(answers) = answers.as_object_mut() else { return };
    // What goes wrong with a gRPC method is said as Connect says it, whoever says it; unless the media type leaves open that this is Connect.
    if *lane == Lane::Grpc {
        answers.insert("415".to_owned(), failure("Neither JSON nor protobuf was sent"));
        return;
    }
    for (status, what) in refusals(policy) {
        answers.entry(status).or_insert_with(|| failure(what));
    }
    answers.entry("default").or_insert_with(|| failure("What else went wrong"));
}

fn security(policy: &Policy) -> Value {
    match policy {
        Policy::Public => json!([]),
        Policy::Authenticated | Policy::Require(_) => json!([{ BEARER: [] }]),
    }
}

/// What the host answers before a module sees the request.
fn refusals(policy: &Policy) -> Vec<(&'static str, &'static str)> {
    let mut refusals = vec![("429", "Too many requests; `Retry-After` says when to try again")];
    if *policy != Policy::Public {
        refusals.push(("401", "No token, or one that is not valid"));
    }
    if let Policy::Require(_) = policy {
        refusals.push(("403", "The caller lacks the permission"));
    }
    refusals
}

fn failure(what: &str) -> Value {
    json!({
        "description": what,
        "content": { "application/problem+json": { "schema": { "$ref": format!("#/components/schemas/{PROBLEM}") } } }
    })
}

/// Every `{name}` of the path needs a parameter.
fn name_parameters(fields: &mut Map<String, Value>, path: &str) {
    let names: Vec<&str> = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .collect();
    let listed = fields.entry("parameters").or_insert_with(|| json!([]));
    let Some(listed) = listed.as_array_mut() else { return };
    for name in names {
        let has = listed.iter().any(|known| {
            known.get("in").and_then(Value::as_str) == Some("path") && known.get("name").and_then(Value::as_str) == Some(name)
        });
        if !has {
            listed.push(json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
        }
    }
    if listed.is_empty() {
        fields.remove("parameters");
    }
}

/// RFC 9457, with what this host adds.
fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457)",
        "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string", "description": "A URI reference that names the kind" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "detail": { "type": "string", "description": "A sentence for people" },
            "code": { "type": "string", "description": "Stable, for programs" },
            "request_id": { "type": "string", "description": "The log has more under it" }
        }
    })
}
