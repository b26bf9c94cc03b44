//! People of an installation: accounts with roles, and the calls they make with their tokens.

use std::io;

use serde_json::{Value, json};

use crate::client::{self, Answer};
use crate::server::{ServerOptions, TestServer};

/// The password of everybody here.
pub const PASSWORD: &str = "correct-horse-canary-41";
/// Lets a host run its core modules; hosts of other tests have none.
pub const CORE: (&str, &str) = ("WHARF_SECURITY__CORE_MODULES", "[\"identity\", \"auth\", \"authz\", \"audit\"]");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Somebody who is signed in.
#[derive(Clone, Debug)]
pub struct Person {
    /// Id of the account.
    pub id: String,
    /// The address they log in with.
    pub email: String,
    /// Tenant of the account.
    pub tenant: String,
    /// Access token.
    pub token: String,
    /// Refresh token.
    pub refresh: String,
}

/// Starts a host with its core modules and these libraries.
#[must_use]
pub fn host(modules: &[&str], config: &str, environment: &[(&str, &str)]) -> TestServer {
    TestServer::start(ServerOptions {
        modules,
        config,
        environment: &[&[CORE][..], environment].concat(),
        ..ServerOptions::default()
    })
}

/// A unary method of a core module, as the operator over the admin socket.
///
/// # Panics
/// When it fails.
pub fn operate(server: &TestServer, method: &str, request: &Value) -> Value {
    let answer = try_to_operate(server, method, request);
    assert_eq!(
        answer.status,
        200,
        "{method}: {}\nwharf printed:\n{}",
        answer.body,
        server.process().output()
    );
    answer.json()
}

/// The same, whatever the answer.
///
/// # Panics
/// When there is none.
pub fn try_to_operate(server: &TestServer, method: &str, request: &Value) -> Answer {
    let socket = server.data().join("admin/wharf.sock");
    let path = format!("/admin/v1/call/{method}");
    client::send_unix_with(&socket, "POST", &path, &[JSON], request.to_string().as_bytes())
        .unwrap_or_else(|error| panic!("{method}: {error}; wharf printed:\n{}", server.process().output()))
}

/// Makes an account with these roles, each `NAME` in the tenant of the account or `NAME@TENANT`, and signs it in.
///
/// # Panics
/// When any of it fails.
pub fn person(server: &TestServer, tenant: &str, name: &str, roles: &[&str]) -> Person {
    let email = format!("{name}@example.org");
    let account = json!({
        "tenant": tenant, "email": email, "name": name, "password": PASSWORD, "emailVerified": true,
    });
    let made = operate(server, "wharf.identity.v1.Users/Create", &account);
    let id = made["id"].as_str().expect("an account has an id").to_owned();
    for role in roles {
        let (role, place) = role.split_once('@').unwrap_or((role, tenant));
        let binding = json!({ "binding": { "member": format!("user:{id}"), "role": format!("role:{role}"), "tenant": place } });
        operate(server, "wharf.authz.v1.Bindings/Grant", &binding);
    }
    let mut person = Person {
        id,
        email,
        tenant: tenant.to_owned(),
        token: String::new(),
        refresh: String::new(),
    };
    person.sign_in(server);
    person
}

impl Person {
    /// Signs in, once more if they were.
    ///
    /// # Panics
    /// When that is refused.
    pub fn sign_in(&mut self, server: &TestServer) {
        let answer = sign_in(server, &self.tenant, &self.email, PASSWORD);
        assert_eq!(answer.status, 201, "{} cannot sign in: {}", self.email, answer.head);
        let tokens = answer.json();
        let token = |name: &str| tokens[name].as_str().expect("a token").to_owned();
        (self.token, self.refresh) = (token("access_token"), token("refresh_token"));
    }

    /// One request with their token.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn send(&self, server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_to_send(server, method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}; wharf printed:\n{}", server.process().output()))
    }

    /// The same, when the host may be gone.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn try_to_send(&self, server: &TestServer, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let bearer = format!("Bearer {}", self.token);
        let headers = [headers, &[("authorization", bearer.as_str())]].concat();
        client::send(server.http(), method, path, &headers, body)
    }

    /// A unary method, with JSON.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn call(&self, server: &TestServer, method: &str, request: &Value) -> Answer {
        self.send(server, "POST", &format!("/{method}"), &[JSON], request.to_string().as_bytes())
    }

    /// GET of a path.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn get(&self, server: &TestServer, path: &str) -> Answer {
        self.send(server, "GET", path, &[], &[])
    }
}

/// A session by password.
///
/// # Panics
/// When there is no answer.
#[must_use]
pub fn sign_in(server: &TestServer, tenant: &str, login: &str, password: &str) -> Answer {
    let body = json!({ "tenant": tenant, "login": login, "password": password });
    server.send("POST", "/auth/v1/sessions", &[JSON], body.to_string().as_bytes())
}
