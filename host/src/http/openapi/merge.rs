//! What one module says of its routes, with names that are apart from those of others.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::document::plain;

const REFERENCE: &str = "#/components/";

/// The document of one module, taken apart.
pub(super) struct Described {
    /// By upper-case method and path.
    operations: HashMap<(String, String), Value>,
    /// By section, then by new name.
    components: Map<String, Value>,
}

impl Described {
    pub(super) fn of(module: &str, document: &Value) -> Self {
        let mut operations = HashMap::new();
        for (path, item) in entries(document.get("paths")) {
            let shared = item.get("parameters").and_then(Value::as_array).cloned().unwrap_or_default();
            for (method, operation) in entries(Some(item)) {
                let Some(fields) = operation.as_object() else { continue };
                let mut fields = fields.clone();
                add_parameters(&mut fields, &shared);
                let mut operation = Value::Object(fields);
                rename(&mut operation, module);
                operations.insert((method.to_uppercase(), plain(path)), operation);
            }
        }
        let mut components = Map::new();
        for (section, named) in entries(document.get("components")) {
            // Ways to authenticate are the host's.
            if section == "securitySchemes" {
                continue;
            }
            let named = entries(Some(named)).map(|(name, value)| {
                let mut value = value.clone();
                rename(&mut value, module);
                (format!("{module}.{name}"), value)
            });
            components.insert(section.clone(), Value::Object(named.collect()));
        }
        Self { operations, components }
    }

    /// What is said of a route; once.
    pub(super) fn take(&mut self, method: &str, path: &str) -> Option<Value> {
        self.operations.remove(&(method.to_owned(), plain(path)))
    }

    pub(super) fn give_components(self, sections: &mut Value) {
        let Some(sections) = sections.as_object_mut() else { return };
        for (section, named) in self.components {
            let all = sections.entry(section).or_insert_with(|| Value::Object(Map::new()));
            if let (Some(all), Value::Object(mut named)) = (all.as_object_mut(), named) {
                all.append(&mut named);
            }
        }
    }
}

fn entries(value: Option<&Value>) -> impl Iterator<Item = (&String, &Value)> {
    value.and_then(Value::as_object).into_iter().flatten()
}

/// Parameters of a path belong to each of its operations, unless one says otherwise.
fn add_parameters(fields: &mut Map<String, Value>, shared: &[Value]) {
    if shared.is_empty() {
        return;
    }
    let own = fields.entry("parameters").or_insert_with(|| Value::Array(Vec::new()));
    let Some(own) = own.as_array_mut() else { return };
    for parameter in shared {
        let same = |known: &Value| known.get("name") == parameter.get("name") && known.get("in") == parameter.get("in");
        if !own.iter().any(same) {
            own.push(parameter.clone());
        }
    }
}

/// `#/components/schemas/Post` becomes `#/components/schemas/blog.Post`, wherever it stands.
fn rename(value: &mut Value, module: &str) {
    match value {
        Value::Object(fields) => {
            for (name, inner) in fields.iter_mut() {
                match inner {
                    Value::String(text) if name == "$ref" => {
                        if let Some(new) = renamed(text, module) {
                            *text = new;
                        }
                    }
                    // The values of a discriminator's mapping are references without the word.
                    Value::Object(mapping) if name == "mapping" => {
                        for text in mapping.values_mut() {
                            if let Some(new) = text.as_str().and_then(|text| renamed(text, module)) {
                                *text = Value::String(new);
                            }
                        }
                    }
                    inner => rename(inner, module),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, module)),
        _ => {}
    }
}

fn renamed(reference: &str, module: &str) -> Option<String> {
    let (section, name) = reference.strip_prefix(REFERENCE)?.split_once('/')?;
    Some(format!("{REFERENCE}{section}/{module}.{name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_one_module_do_not_meet_those_of_another() {
        let document = json!({
            "paths": { "/posts/{*rest}": {
                "parameters": [{ "name": "rest", "in": "path" }],
                "get": { "responses": { "200": { "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Post" } } } } } }
            } },
            "components": {
                "schemas": { "Post": { "properties": { "tag": { "$ref": "#/components/schemas/Tag" } } }, "Tag": { "type": "string" } },
                "securitySchemes": { "own": {} }
            }
        });
        let mut described = Described::of("blog", &document);
        let operation = described.take("GET", "/posts/{rest}").unwrap();
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(schema["$ref"], "#/components/schemas/blog.Post");
        assert_eq!(operation["parameters"][0]["name"], "rest");
        assert!(described.take("GET", "/posts/{rest}").is_none());
        let mut sections = json!({ "schemas": {} });
        described.give_components(&mut sections);
        assert_eq!(
            sections["schemas"]["blog.Post"]["properties"]["tag"]["$ref"],
            "#/components/schemas/blog.Tag"
        );
        assert!(sections.get("securitySchemes").is_none());
    }
}
