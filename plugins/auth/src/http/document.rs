//! What the routes take and give, as OpenAPI. Most of it is said elsewhere, in the RFCs that are named.

use serde_json::{Map, Value, json};
use wharf_sdk::OpenApi;

use super::schemas;

/// Statuses of the pages that people see.
const PAGES: [(&str, &str); 4] = [
    ("400", "The request makes no sense"),
    ("401", "The login does not count"),
    ("403", "Not for this account"),
    ("503", "Accounts, or the other provider, cannot be reached"),
];

pub(crate) fn document() -> OpenApi {
    OpenApi::of(&json!({
        "openapi": "3.1.0",
        "info": { "title": "Auth", "description": "Sessions, tokens, keys, and login through other identity providers" },
        "paths": {
            "/v1/sessions": { "post": sessions() },
            "/v1/token": { "post": oauth(
                "token", "The token endpoint (RFC 6749, 3.2)", "TokenRequest", &json_answer("Tokens", "Tokens"),
            ) },
            "/v1/revoke": { "post": oauth(
                "revoke", "Takes a token back (RFC 7009)", "AboutToken", &json!({ "description": "It does not count any more, if it ever did" }),
            ) },
            "/v1/introspect": { "post": oauth(
                "introspect",
                "What is in a token and whether it counts (RFC 7662): for clients with a secret, and bearers who hold auth.token.introspect",
                "AboutToken", &json_answer("Introspection", "What is known of it"),
            ) },
            "/v1/authorize": { "get": show_login(), "post": take_login() },
            "/v1/login/{provider}": { "get": leave() },
            "/v1/callback/{provider}": { "get": come_back() },
            "/v1/jwks.json": { "get": plain("keys", "Public keys of access tokens (RFC 7517)", "application/jwk-set+json", "Keys") },
            "/.well-known/openid-configuration": {
                "get": plain("openid_configuration", "OpenID Connect Discovery, 3", "application/json", "OpenIdMetadata")
            },
            "/.well-known/oauth-authorization-server": {
                "get": plain("oauth_metadata", "Metadata of the issuer (RFC 8414)", "application/json", "Metadata")
            }
        },
        "components": { "schemas": schemas::all() }
    }))
}

fn sessions() -> Value {
    json!({
        "operationId": "open_session",
        "summary": "Logs in with a password",
        "requestBody": { "required": true, "content": { "application/json": { "schema": schema("Login") } } },
        "responses": {
            "201": json_answer("Tokens", "A session was opened"),
            "401": problem("Login or password is wrong"),
            "403": problem("The account may not log in"),
            "422": problem("The body is no login"),
            "503": problem("Accounts cannot be looked at now: try again later")
        }
    })
}

/// An endpoint of OAuth: a form, and errors as RFC 6749, 5.2, has them.
fn oauth(id: &str, summary: &str, form: &str, good: &Value) -> Value {
    let wrong = |what: &str| json_answer("OAuthError", what);
    json!({
        "operationId": id,
        "summary": summary,
        "requestBody": form_body(form),
        "responses": {
            "200": good,
            "400": wrong("What was asked for makes no sense, or the grant does not count"),
            "401": wrong("The client is not who it says"),
            "429": too_many("application/json", &schema("OAuthError")),
            "503": wrong("Accounts or keys cannot be looked at now: try again later")
        }
    })
}

fn show_login() -> Value {
    let names = [
        ("response_type", "`code`"),
        ("client_id", "A client that is registered"),
        ("redirect_uri", "One that the client has registered"),
        ("state", "Given back as it came"),
        ("nonce", "Put into the id token"),
        ("scope", "Words with spaces between them"),
        ("code_challenge", "Of the verifier (RFC 7636)"),
        ("code_challenge_method", "`S256`"),
        ("response_mode", "`query`"),
        ("prompt", "`login`, `none`"),
        ("request", "Not served"),
        ("request_uri", "Not served"),
    ];
    let mut answers = pages();
    answers.insert("200".to_owned(), page("The form"));
    answers.insert(
        "303".to_owned(),
        json!({ "description": "Back to the client, with what was wrong" }),
    );
    json!({
        "operationId": "authorize",
        "summary": "Shows the login form (RFC 6749, 3.1; RFC 7636)",
        "parameters": names.map(|(name, what)| query(name, what)),
        "responses": answers
    })
}

fn take_login() -> Value {
    let mut answers = pages();
    answers.insert("303".to_owned(), json!({ "description": "Back to the client, with a code" }));
    json!({ "operationId": "log_in", "summary": "Takes the login form", "requestBody": form_body("LoginForm"), "responses": answers })
}

fn leave() -> Value {
    let mut answers = pages();
    answers.insert("303".to_owned(), json!({ "description": "To the other provider" }));
    json!({
        "operationId": "login_elsewhere",
        "summary": "Sends the browser to another identity provider",
        "parameters": [provider(), query("request", "For which request of `/v1/authorize`")],
        "responses": answers
    })
}

fn come_back() -> Value {
    let mut answers = pages();
    answers.insert("200".to_owned(), json_answer("Tokens", "A session was opened"));
    answers.insert("303".to_owned(), json!({ "description": "Back to the client, with a code" }));
    let names = [
        ("code", "What the session is given for"),
        ("state", "As it was sent"),
        ("error", "What went wrong there"),
        ("iss", "Who says so (RFC 9207)"),
    ];
    let parameters: Vec<Value> = std::iter::once(provider())
        .chain(names.map(|(name, what)| query(name, what)))
        .collect();
    json!({
        "operationId": "come_back",
        "summary": "Where the browser comes back from another identity provider",
        "parameters": parameters,
        "responses": answers
    })
}

fn plain(id: &str, summary: &str, kind: &str, name: &str) -> Value {
    let good = json!({ "description": summary, "content": { kind: { "schema": schema(name) } } });
    json!({ "operationId": id, "summary": summary, "responses": { "200": good } })
}

fn pages() -> Map<String, Value> {
    let mut pages: Map<String, Value> = PAGES.iter().map(|(status, what)| ((*status).to_owned(), page(what))).collect();
    pages.insert("429".to_owned(), too_many("text/html", &json!({ "type": "string" })));
    pages
}

fn page(what: &str) -> Value {
    json!({ "description": what, "content": { "text/html": { "schema": { "type": "string", "description": "A page for people" } } } })
}

/// The host limits how often routes are called, and says so in its own form.
fn too_many(kind: &str, schema_of_kind: &Value) -> Value {
    let problem = schema("Problem");
    let content = json!({ kind: { "schema": schema_of_kind }, "application/problem+json": { "schema": problem } });
    json!({ "description": "Too many tries; `Retry-After` says when to try again", "content": content })
}

fn problem(what: &str) -> Value {
    json!({ "description": what, "content": { "application/problem+json": { "schema": schema("Problem") } } })
}

fn json_answer(name: &str, what: &str) -> Value {
    json!({ "description": what, "content": { "application/json": { "schema": schema(name) } } })
}

fn form_body(name: &str) -> Value {
    json!({ "required": true, "content": { "application/x-www-form-urlencoded": { "schema": schema(name) } } })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn provider() -> Value {
    let schema = json!({ "type": "string", "pattern": "^[a-z0-9-]{1,64}$" });
    json!({ "name": "provider", "in": "path", "required": true, "description": "As in the configuration", "schema": schema })
}

fn query(name: &str, what: &str) -> Value {
    json!({ "name": name, "in": "query", "description": what, "schema": { "type": "string" } })
}
