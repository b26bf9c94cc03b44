//! What the pages take and give, as OpenAPI.

use serde_json::{Value, json};
use wharf_sdk::OpenApi;

pub(crate) fn document() -> OpenApi {
    OpenApi::of(&json!({
        "openapi": "3.1.0",
        "info": { "title": "Identity", "description": "Pages for people who follow a link" },
        "paths": {
            "/invitations/{token}": {
                "get": shown("show_invitation", "Shows the form of an invitation"),
                "post": sent("accept_invitation", "Accepts an invitation", Some("Acceptance"))
            },
            "/resets/{token}": {
                "get": shown("show_reset", "Shows the form of a new password"),
                "post": sent("reset_password", "Sets a new password", Some("NewPassword"))
            },
            "/verifications/{token}": {
                "get": shown("show_verification", "Asks whether an address is theirs"),
                "post": sent("verify_email", "Confirms an address", None)
            }
        },
        "components": { "schemas": {
            "Acceptance": {
                "type": "object",
                "required": ["password"],
                "properties": {
                    "email": { "type": "string", "description": "Where the invitation names none" },
                    "name": { "type": "string", "description": "What they are called" },
                    "password": { "type": "string", "format": "password" }
                }
            },
            "NewPassword": {
                "type": "object",
                "required": ["password"],
                "properties": { "password": { "type": "string", "format": "password" } }
            },
            "Problem": problem_schema()
        } }
    }))
}

fn shown(id: &str, summary: &str) -> Value {
    json!({
        "operationId": id,
        "summary": summary,
        "parameters": [token()],
        "responses": {
            "200": page("The form"),
            "400": problem("The address cannot be read"),
            "410": page("The link was used, is too old, or never was one"),
            "503": page("Something that is needed is away: try again later")
        }
    })
}

fn sent(id: &str, summary: &str, form: Option<&str>) -> Value {
    let mut operation = shown(id, summary);
    let Some(fields) = operation.as_object_mut() else {
        return operation;
    };
    if let Some(answers) = fields.get_mut("responses").and_then(Value::as_object_mut) {
        answers.insert("200".to_owned(), page("It is done"));
        if form.is_some() {
            answers.insert("400".to_owned(), problem("The address or the form cannot be read"));
            answers.insert("413".to_owned(), problem("Too many bytes"));
            answers.insert("415".to_owned(), problem("Another media type than that of forms"));
            answers.insert("422".to_owned(), page("The form once more, with what is wrong in it"));
        }
    }
    if let Some(form) = form {
        let schema = json!({ "$ref": format!("#/components/schemas/{form}") });
        let body = json!({ "required": true, "content": { "application/x-www-form-urlencoded": { "schema": schema } } });
        fields.insert("requestBody".to_owned(), body);
    }
    operation
}

fn token() -> Value {
    let schema = json!({ "type": "string", "pattern": "^[A-Za-z0-9_-]{1,128}$" });
    json!({ "name": "token", "in": "path", "required": true, "description": "Out of the link", "schema": schema })
}

fn page(what: &str) -> Value {
    json!({ "description": what, "content": { "text/html": { "schema": { "type": "string", "description": "A page for people" } } } })
}

fn problem(what: &str) -> Value {
    let schema = json!({ "$ref": "#/components/schemas/Problem" });
    json!({ "description": what, "content": { "application/problem+json": { "schema": schema } } })
}

fn problem_schema() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457)",
        "required": ["type", "title", "status"],
        "properties": {
            "type": { "type": "string", "description": "A URI reference that names the kind" },
            "title": { "type": "string", "description": "The status in words" },
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": { "type": "string", "description": "A sentence for people" },
            "code": { "type": "string", "description": "Stable, for programs" },
            "request_id": { "type": "string", "description": "Of this request, as in the log" }
        }
    })
}
