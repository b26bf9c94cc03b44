//! Schemas of what crosses: first what is asked, then what is answered.

use serde_json::{Map, Value, json};

pub(super) fn all() -> Value {
    let mut metadata = metadata();
    let plain = json!({ "type": "object", "required": ["issuer", "token_endpoint", "jwks_uri"], "properties": &metadata });
    for name in [
        "subject_types_supported",
        "id_token_signing_alg_values_supported",
        "claims_supported",
    ] {
        metadata.insert(name.to_owned(), words());
    }
    let openid = json!({
        "type": "object", "required": ["issuer", "token_endpoint", "jwks_uri", "subject_types_supported"], "properties": metadata
    });
    json!({
        "Login": login(false),
        "LoginForm": login(true),
        "TokenRequest": token_request(),
        "AboutToken": about_token(),
        "Tokens": tokens(),
        "Introspection": introspection(),
        "Keys": keys(),
        "Metadata": plain,
        "OpenIdMetadata": openid,
        "OAuthError": oauth_error(),
        "Problem": problem()
    })
}

fn login(is_form: bool) -> Value {
    let mut schema = json!({
        "type": "object",
        "required": ["login", "password"],
        "additionalProperties": false,
        "properties": {
            "tenant": text("`default` when it is left out"),
            "login": text("An e-mail address"),
            "password": secret("The password")
        }
    });
    if is_form && let Some(fields) = schema.as_object_mut() {
        fields.remove("additionalProperties");
        fields.insert("required".to_owned(), json!(["request", "login", "password"]));
        if let Some(properties) = fields.get_mut("properties").and_then(Value::as_object_mut) {
            properties.insert("request".to_owned(), text("Out of the form that was shown"));
        }
    }
    schema
}

fn token_request() -> Value {
    json!({
        "type": "object",
        "required": ["grant_type"],
        "properties": {
            "grant_type": { "type": "string", "enum": ["authorization_code", "refresh_token", "client_credentials"] },
            "client_id": text("Who asks; or by HTTP Basic"),
            "client_secret": secret("Of a confidential client; or by HTTP Basic"),
            "scope": text("Words with spaces between them"),
            "code": secret("For `authorization_code`"),
            "redirect_uri": text("For `authorization_code`: as it was"),
            "code_verifier": secret("For `authorization_code` (RFC 7636)"),
            "refresh_token": secret("For `refresh_token`")
        }
    })
}

fn about_token() -> Value {
    json!({
        "type": "object",
        "required": ["token"],
        "properties": {
            "token": secret("An access or refresh token"),
            "client_id": text("Who asks; or by HTTP Basic"),
            "client_secret": secret("Of a confidential client; or by HTTP Basic")
        }
    })
}

fn tokens() -> Value {
    json!({
        "type": "object",
        "description": "RFC 6749, 5.1",
        "required": ["access_token", "token_type", "expires_in"],
        "properties": {
            "access_token": secret("RFC 9068"),
            "token_type": { "type": "string", "const": "Bearer" },
            "expires_in": { "type": "integer", "minimum": 0, "description": "Seconds" },
            "refresh_token": secret("For the next access token"),
            "scope": text("What it is limited to"),
            "id_token": secret("OpenID Connect Core, 2")
        }
    })
}

fn introspection() -> Value {
    let mut properties: Map<String, Value> = [
        "token_type",
        "scope",
        "client_id",
        "username",
        "sub",
        "kind",
        "tenant",
        "sid",
        "aud",
        "iss",
        "jti",
    ]
    .into_iter()
    .map(|name| (name.to_owned(), json!({ "type": "string" })))
    .collect();
    for name in ["exp", "iat", "nbf"] {
        properties.insert(name.to_owned(), json!({ "type": "integer", "description": "Seconds since 1970" }));
    }
    properties.insert("active".to_owned(), json!({ "type": "boolean" }));
    json!({ "type": "object", "description": "RFC 7662, 2.2", "required": ["active"], "properties": properties })
}

fn keys() -> Value {
    let key = json!({
        "type": "object",
        "description": "RFC 7517, 4",
        "required": ["kty", "kid"],
        "properties": {
            "kty": text("The kind of key"), "kid": text("Its name, in the head of tokens"), "use": text("`sig`"),
            "alg": text("What it signs with"), "crv": text("Its curve"), "x": text("The key"), "y": text("The key")
        }
    });
    json!({ "type": "object", "required": ["keys"], "properties": { "keys": { "type": "array", "items": key } } })
}

fn metadata() -> Map<String, Value> {
    let mut properties = Map::new();
    for name in [
        "issuer",
        "authorization_endpoint",
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "jwks_uri",
    ] {
        properties.insert(name.to_owned(), json!({ "type": "string", "format": "uri" }));
    }
    for name in [
        "response_types_supported",
        "response_modes_supported",
        "grant_types_supported",
        "code_challenge_methods_supported",
        "token_endpoint_auth_methods_supported",
        "revocation_endpoint_auth_methods_supported",
        "introspection_endpoint_auth_methods_supported",
        "scopes_supported",
    ] {
        properties.insert(name.to_owned(), words());
    }
    properties.insert(
        "authorization_response_iss_parameter_supported".to_owned(),
        json!({ "type": "boolean", "description": "RFC 9207" }),
    );
    properties
}

fn oauth_error() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 6749, 5.2)",
        "required": ["error", "error_description"],
        "properties": { "error": text("For programs"), "error_description": text("A sentence for people") }
    })
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457)",
        "required": ["type", "title", "status"],
        "properties": {
            "type": text("A URI reference that names the kind"),
            "title": text("The status in words"),
            "status": { "type": "integer", "minimum": 400, "maximum": 599 },
            "detail": text("A sentence for people"),
            "code": text("Stable, for programs"),
            "request_id": text("Of this request, as in the log")
        }
    })
}

fn words() -> Value {
    json!({ "type": "array", "items": { "type": "string" } })
}

fn text(what: &str) -> Value {
    json!({ "type": "string", "description": what })
}

fn secret(what: &str) -> Value {
    json!({ "type": "string", "format": "password", "description": what })
}
