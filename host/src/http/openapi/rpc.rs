//! Unary gRPC methods as what they are over HTTP: a POST with JSON (the Connect protocol, in the JSON mapping of protobuf).

use prost_reflect::{Cardinality, EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value, json};

/// The operation of a method; none for one that streams. Its messages are added to `schemas`.
pub(super) fn operation(method: &MethodDescriptor, schemas: &mut Map<String, Value>) -> Option<Value> {
    if method.is_client_streaming() || method.is_server_streaming() {
        return None;
    }
    let (takes, gives) = (message(&method.input(), schemas), message(&method.output(), schemas));
    let mut operation = json!({
        "operationId": method.full_name().replace('.', "_"),
        "summary": format!("{} of {}", method.name(), method.parent_service().full_name()),
        "requestBody": { "required": true, "content": { "application/json": { "schema": takes } } },
        "responses": {
            "200": { "description": "The answer", "content": { "application/json": { "schema": gives } } },
            "default": {
                "description": "What went wrong, as Connect says it",
                "content": { "application/json": { "schema": {
                    "type": "object",
                    "required": ["code"],
                    "properties": { "code": { "type": "string" }, "message": { "type": "string" } }
                } } }
            }
        }
    });
    describe(&mut operation, comment(method.parent_file().file_descriptor_proto(), method.path()));
    Some(operation)
}

/// A schema, or a reference to one that is in `schemas` from now on.
fn message(of: &MessageDescriptor, schemas: &mut Map<String, Value>) -> Value {
    if let Some(special) = well_known(of.full_name()) {
        return special;
    }
    let name = of.full_name().to_owned();
    if !schemas.contains_key(&name) {
        // Put there first: a message may hold itself.
        schemas.insert(name.clone(), Value::Null);
        let properties: Map<String, Value> = of
            .fields()
            .map(|field| (field.json_name().to_owned(), property(&field, schemas)))
            .collect();
        let mut schema = match properties.is_empty() {
            // Nothing is said with it but that it is there.
            true => json!({ "type": "object", "additionalProperties": false }),
            false => json!({ "type": "object", "properties": properties }),
        };
        describe(&mut schema, comment(of.parent_file().file_descriptor_proto(), of.path()));
        schemas.insert(name.clone(), schema);
    }
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn property(field: &FieldDescriptor, schemas: &mut Map<String, Value>) -> Value {
    if field.is_map() {
        let value = match field.kind() {
            Kind::Message(entry) => scalar(&entry.map_entry_value_field().kind(), schemas),
            _ => json!({}),
        };
        return json!({ "type": "object", "additionalProperties": value });
    }
    let one = scalar(&field.kind(), schemas);
    let mut schema = match field.cardinality() {
        Cardinality::Repeated => json!({ "type": "array", "items": one }),
        _ => one,
    };
    // In 3.1 a reference may have a description beside it.
    describe(&mut schema, comment(field.parent_file().file_descriptor_proto(), field.path()));
    schema
}

fn scalar(kind: &Kind, schemas: &mut Map<String, Value>) -> Value {
    match kind {
        Kind::Double | Kind::Float => json!({ "type": ["number", "string"] }),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
        Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX }),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
            json!({ "type": ["string", "integer"], "format": "int64", "pattern": "^-?[0-9]{1,19}$" })
        }
        Kind::Uint64 | Kind::Fixed64 => json!({ "type": ["string", "integer"], "format": "uint64", "pattern": "^[0-9]{1,20}$" }),
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::String => json!({ "type": "string" }),
        Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
        Kind::Message(of) => message(of, schemas),
        Kind::Enum(of) => enumeration(of),
    }
}

fn enumeration(of: &EnumDescriptor) -> Value {
    let names: Vec<String> = of.values().map(|value| value.name().to_owned()).collect();
    json!({ "type": "string", "enum": names })
}

/// Messages with a JSON form of their own.
fn well_known(name: &str) -> Option<Value> {
    Some(match name {
        "google.protobuf.Timestamp" => json!({ "type": "string", "format": "date-time" }),
        "google.protobuf.Duration" => json!({ "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]{1,9})?s$" }),
        "google.protobuf.FieldMask" => json!({ "type": "string" }),
        "google.protobuf.Struct" => json!({ "type": "object" }),
        "google.protobuf.Value" => json!({}),
        "google.protobuf.ListValue" => json!({ "type": "array", "items": {} }),
        "google.protobuf.Empty" => json!({ "type": "object" }),
        "google.protobuf.StringValue" | "google.protobuf.BytesValue" => json!({ "type": "string" }),
        "google.protobuf.BoolValue" => json!({ "type": "boolean" }),
        "google.protobuf.Int32Value" | "google.protobuf.UInt32Value" => json!({ "type": "integer" }),
        "google.protobuf.Int64Value" | "google.protobuf.UInt64Value" => json!({ "type": ["string", "integer"] }),
        "google.protobuf.DoubleValue" | "google.protobuf.FloatValue" => json!({ "type": ["number", "string"] }),
        _ => return None,
    })
}

fn describe(what: &mut Value, text: Option<String>) {
    if let (Some(text), Some(fields)) = (text, what.as_object_mut()) {
        fields.insert("description".to_owned(), text.into());
    }
}

/// What stands above a definition in the `.proto` file, where the descriptor set kept it.
fn comment(file: &prost_types::FileDescriptorProto, path: &[i32]) -> Option<String> {
    let info = file.source_code_info.as_ref()?;
    let place = info.location.iter().find(|place| place.path == path)?;
    let text = place.leading_comments().trim();
    (!text.is_empty()).then(|| text.lines().map(str::trim).collect::<Vec<_>>().join("\n"))
}
