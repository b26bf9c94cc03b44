//! `requests.toml`: a request that succeeds for each operation, put into the document as its example.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::things::Things;

const TABLE: &str = include_str!("requests.toml");
/// How often the fuzzer takes a thing that is there, instead of something made up.
const KNOWN: f64 = 0.5;

/// What the fuzzer is told of operations, beside the document.
#[derive(Default)]
pub(super) struct Known {
    /// Values that are there, by the name of their list.
    pub(super) dictionaries: Map<String, Value>,
    /// Settings of one operation each.
    pub(super) operations: Vec<Value>,
}

/// Puts the table's requests into the document, with new things in them.
pub(super) fn put_into(document: &mut Value, things: &mut Things<'_>) -> Known {
    let table: BTreeMap<String, Value> = toml::from_str(TABLE).expect("requests.toml is TOML");
    let mut known = Known::default();
    for (name, request) in &table {
        let (method, path) = name.split_once(' ').expect("METHOD PATH");
        let operation = &mut document["paths"][path][method.to_lowercase()];
        assert!(operation.is_object(), "requests.toml has {name}, which the document has not");
        let mut places = Map::new();
        for location in ["path", "query", "header"] {
            for (parameter, value) in request[location].as_object().into_iter().flatten() {
                let place = format!("{location}.{parameter}");
                let value = known.filled(value, &place, things, &mut places);
                if location == "path" && !places.contains_key(&place) {
                    known.note(&place, &value, &mut places);
                }
                give_parameter(operation, location, parameter, value, name);
            }
        }
        if let Some(body) = request.get("body") {
            let body = known.filled(body, "body", things, &mut places);
            give_body(operation, body, name);
        }
        let mut settings = json!({ "include-name": name });
        if let Some(who) = request["who"].as_str() {
            settings["headers"] = json!({ "Authorization": format!("Bearer {}", things.caller(who)) });
        }
        if !places.is_empty() {
            settings["parameters"] = Value::Object(places);
        }
        if settings.as_object().is_some_and(|settings| settings.len() > 1) {
            known.operations.push(settings);
        }
    }
    known
}

impl Known {
    /// The fuzzer tries this value again and again in this place.
    fn note(&mut self, place: &str, value: &Value, places: &mut Map<String, Value>) {
        let list = format!("known-{}", self.dictionaries.len());
        places.insert(place.to_owned(), json!({ "dictionary": list, "probability": KNOWN }));
        self.dictionaries.insert(list, json!({ "values": [value] }));
    }

    /// A value of the table with things in the place of their kinds; each is noted by the place it stands in.
    fn filled(&mut self, value: &Value, place: &str, things: &mut Things<'_>, places: &mut Map<String, Value>) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix('<').and_then(|text| text.strip_suffix('>')) {
                Some("word") => things.make("word").into(),
                Some(kind) => {
                    let thing = Value::from(things.make(kind));
                    self.note(place, &thing, places);
                    thing
                }
                None => value.clone(),
            },
            Value::Object(fields) => fields
                .iter()
                .map(|(name, value)| (name.clone(), self.filled(value, &format!("{place}.{name}"), things, places)))
                .collect(),
            Value::Array(items) => items
                .iter()
                .map(|value| self.filled(value, &format!("{place}[*]"), things, places))
                .collect(),
            other => other.clone(),
        }
    }
}

fn give_parameter(operation: &mut Value, location: &str, name: &str, value: Value, of: &str) {
    let listed = operation["parameters"].as_array_mut().into_iter().flatten();
    let mut found = listed.filter(|parameter| parameter["in"] == location && parameter["name"] == name);
    let parameter = found.next().unwrap_or_else(|| panic!("{of} has no {location} parameter {name}"));
    parameter["example"] = value;
}

fn give_body(operation: &mut Value, value: Value, of: &str) {
    let content = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
    let first = content.and_then(|content| content.values_mut().next());
    let first = first.unwrap_or_else(|| panic!("{of} takes no body"));
    first["example"] = value;
}
