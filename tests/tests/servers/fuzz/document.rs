//! What the OpenAPI document has to say of every operation: what it answers, and what that looks like.

use serde_json::Value;

/// RFC 7009 wants 200 of it, with a body that nobody reads.
const EMPTY: &str = "POST /auth/v1/revoke";

/// Every operation as `POST /path`, with its description.
pub(super) fn operations(document: &Value) -> impl Iterator<Item = (String, &Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    paths.flat_map(|(path, item)| {
        let methods = item.as_object().into_iter().flatten();
        methods.map(move |(method, operation)| (format!("{} {path}", method.to_uppercase()), operation))
    })
}

/// What is left open: operations that do not say how they succeed, and bodies of which nothing is said.
pub(super) fn left_open(document: &Value) -> Vec<String> {
    let mut open = Vec::new();
    for (name, operation) in operations(document) {
        let answers = || operation["responses"].as_object().into_iter().flatten();
        if !answers().any(|(status, _)| status.starts_with(['2', '3'])) {
            open.push(format!("{name} does not say how it succeeds"));
        }
        for (status, answer) in answers() {
            let bodies = contents(answer);
            if matches!(status.as_str(), "200" | "201" | "202" | "206") && bodies.is_empty() && name != EMPTY {
                open.push(format!("{name}: {status} has no body; say 204 if that is so"));
            }
            for (kind, schema) in bodies {
                if !says_something(schema, document, 0) {
                    open.push(format!("{name}: {status} {kind} may be anything: {schema}"));
                }
            }
        }
        for (kind, schema) in contents(&operation["requestBody"]) {
            if !says_something(schema, document, 0) {
                open.push(format!("{name}: what is sent as {kind} may be anything: {schema}"));
            }
        }
    }
    open
}

/// Takes out of operations over HTTP what stands for every status that they do not name, so that each has to be named. What fails in
/// a gRPC method is said by its status in one form for all of them.
pub(super) fn name_every_status(document: &mut Value) {
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for (_, item) in paths.filter(|(path, _)| !path.starts_with("/wharf.")) {
        for operation in item.as_object_mut().into_iter().flat_map(|item| item.values_mut()) {
            if let Some(answers) = operation["responses"].as_object_mut() {
                answers.remove("default");
            }
        }
    }
}

fn contents(of: &Value) -> Vec<(&String, &Value)> {
    let content = of["content"].as_object().into_iter().flatten();
    content.map(|(kind, content)| (kind, &content["schema"])).collect()
}

/// Whether a schema refuses anything: objects of unknown fields and schemas without a type do not.
fn says_something(schema: &Value, document: &Value, depth: usize) -> bool {
    let Some(fields) = schema.as_object() else { return false };
    if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
        let target = reference.strip_prefix('#').and_then(|place| document.pointer(place));
        return depth < 8 && target.is_some_and(|target| says_something(target, document, depth + 1));
    }
    let of_several = ["allOf", "anyOf", "oneOf"].iter().find_map(|name| fields.get(*name)?.as_array());
    if let Some(all) = of_several {
        return !all.is_empty() && all.iter().all(|one| says_something(one, document, depth + 1));
    }
    if fields.contains_key("enum") || fields.contains_key("const") {
        return true;
    }
    match fields.get("type").and_then(Value::as_str) {
        Some("object") => {
            let has_fields = fields
                .get("properties")
                .and_then(Value::as_object)
                .is_some_and(|fields| !fields.is_empty());
            has_fields || fields.get("additionalProperties").is_some_and(|more| *more != Value::Bool(true))
        }
        Some("array") => fields.get("items").is_some_and(|items| says_something(items, document, depth + 1)),
        Some(_) => true,
        None => fields.get("type").is_some_and(Value::is_array),
    }
}

#[test]
fn a_schema_that_refuses_nothing_is_found() {
    use serde_json::json;
    let answer = |schema: Value| {
        let document = json!({
            "paths": { "/a": { "get": { "responses": { "200": { "content": { "application/json": { "schema": schema } } } } } } },
            "components": { "schemas": { "Open": { "type": "object" }, "Said": { "type": "object", "properties": { "a": {} } } } }
        });
        left_open(&document).len()
    };
    for open in [
        json!({}),
        json!(true),
        json!({ "type": "object" }),
        json!({ "type": "object", "properties": {} }),
        json!({ "$ref": "#/components/schemas/Open" }),
        json!({ "$ref": "#/components/schemas/None" }),
        json!({ "type": "array" }),
        json!({ "type": "array", "items": {} }),
        json!({ "oneOf": [{ "type": "string" }, {}] }),
    ] {
        assert_eq!(answer(open.clone()), 1, "{open}");
    }
    for said in [
        json!({ "type": "string" }),
        json!({ "type": "object", "additionalProperties": false }),
        json!({ "$ref": "#/components/schemas/Said" }),
        json!({ "type": ["string", "null"] }),
        json!({ "allOf": [{ "$ref": "#/components/schemas/Said" }] }),
    ] {
        assert_eq!(answer(said.clone()), 0, "{said}");
    }
}
