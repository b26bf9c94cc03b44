//! A module's section of the configuration, checked against the schema in its manifest.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wharf_manifest::Manifest;

use crate::domain::finding::Finding;
use crate::domain::finding::kind;

/// At most so many wrong values are reported.
const MAX_ERRORS: usize = 32;

/// Everything that is wrong with the section; an absent one is an empty one. Values are never shown, since any of
/// them may be a secret.
pub(in crate::modules) fn check_config(manifest: &Manifest, section: Option<&Value>) -> Vec<Finding> {
    let Some(schema) = &manifest.config_schema else {
        let is_empty = section.is_none_or(|section| section.as_object().is_some_and(serde_json::Map::is_empty));
        let what = format!("the configuration has a section for {:?}, which takes none", manifest.id);
        return if is_empty {
            Vec::new()
        } else {
            vec![Finding::new(&kind::CONFIG_UNEXPECTED, what)]
        };
    };
    let validator = match jsonschema::validator_for(schema) {
        Ok(validator) => validator,
        Err(error) => {
            return vec![Finding::new(
                &kind::CONFIG_SCHEMA,
                format!("the config schema cannot be used: {error}"),
            )];
        }
    };
    let empty = json!({});
    validator
        .iter_errors(section.unwrap_or(&empty))
        .take(MAX_ERRORS)
        .map(|error| {
            let path = dotted(&manifest.id, error.instance_path().as_str());
            Finding::new(&kind::CONFIG, format!("{path}: {}", error.masked())).mend(format!("mend {path} in the configuration"))
        })
        .collect()
}

/// The keyword of a schema with which a key takes a setting of the host where the section leaves it out.
const SETTING: &str = "x-wharf-setting";

/// The section that a module gets: with settings of the host in place of keys that it leaves out and whose schema says
/// `"x-wharf-setting": NAME`. A name that this host does not know leaves the key to its default.
pub(in crate::modules) fn with_settings(schema: Option<&Value>, section: Option<&Value>, settings: &BTreeMap<String, Value>) -> Value {
    let mut section = section.cloned().unwrap_or_else(|| json!({}));
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object());
    for (key, schema) in properties.into_iter().flatten() {
        let setting = schema.get(SETTING).and_then(Value::as_str).and_then(|name| settings.get(name));
        if let (Some(setting), Some(keys)) = (setting, section.as_object_mut()) {
            keys.entry(key).or_insert_with(|| setting.clone());
        }
    }
    section
}

/// `/a/0/b` as `modules.<id>.a.0.b`.
fn dotted(id: &str, pointer: &str) -> String {
    format!("modules.{id}{}", pointer.replace('/', "."))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_key_that_is_left_out_takes_the_setting_that_its_schema_names() {
        let schema = json!({ "properties": {
            "public_url": { "type": "string", "x-wharf-setting": "http.public_url" },
            "later": { "x-wharf-setting": "of.a.later.host" },
            "own": { "type": "string" },
        } });
        let settings = BTreeMap::from([("http.public_url".to_owned(), json!("https://a"))]);
        for (section, expected) in [
            (None, json!({ "public_url": "https://a" })),
            (Some(json!({ "own": "x" })), json!({ "own": "x", "public_url": "https://a" })),
            (Some(json!({ "public_url": "https://b" })), json!({ "public_url": "https://b" })),
        ] {
            assert_eq!(with_settings(Some(&schema), section.as_ref(), &settings), expected);
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        for schema in [
            json!({"$ref": "#"}),
            json!({"allOf": [{"$ref": "#"}]}),
            json!({"$defs": {"a": {"anyOf": [{"$ref": "#/$defs/b"}]}, "b": {"not": {"$ref": "#/$defs/a"}}}, "$ref": "#/$defs/a"}),
        ] {
            if let Ok(validator) = jsonschema::validator_for(&schema) {
                let _ = validator.iter_errors(&json!({})).count();
            }
        }
    }
}
