//! Things to ask about: each is made anew through the same APIs that everybody has, so that no request spoils that of another.

use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{self, PASSWORD, Person};
use wharf_tests::{Answer, TestServer, until};

const SOON: Duration = Duration::from_secs(60);
const JSON: (&str, &str) = ("content-type", "application/json");
/// Where the browser is sent back to after a login; nobody listens there.
pub(super) const BACK: &str = "http://127.0.0.1:9/back";

/// Makes things, by the names that `requests.toml` gives them.
pub(super) struct Things<'a> {
    server: &'a TestServer,
    root: &'a Person,
    made: usize,
}

impl<'a> Things<'a> {
    pub(super) fn new(server: &'a TestServer, root: &'a Person) -> Self {
        Self { server, root, made: 0 }
    }

    /// A new thing of this kind: what requests call it by.
    pub(super) fn make(&mut self, kind: &str) -> String {
        match kind {
            "word" => self.word(),
            // hooks.py puts a signature of what is sent in its place.
            "signature" => format!("t=0,v1={}", "0".repeat(64)),
            "subject" => format!("user:{}", self.user().id),
            // Somebody who holds the role of the demo.
            "author" => {
                let word = self.word();
                format!("user:{}", people::person(self.server, "default", &word, &["author"]).id)
            }
            _ => self
                .of_blog(kind)
                .or_else(|| self.of_billing(kind))
                .or_else(|| self.of_identity(kind))
                .or_else(|| self.of_auth(kind))
                .unwrap_or_else(|| panic!("requests.toml asks for <{kind}>, and things.rs does not know how to make one")),
        }
    }

    /// Somebody who may call, by the name that `requests.toml` gives them: their token.
    pub(super) fn caller(&mut self, who: &str) -> String {
        match who {
            "root" => self.root.token.clone(),
            "somebody" => self.user().token,
            "unverified" => self.unverified().token,
            _ => panic!("requests.toml lets {who:?} call, expected root, somebody or unverified"),
        }
    }

    fn of_blog(&mut self, kind: &str) -> Option<String> {
        Some(match kind {
            "draft" => id(&self.draft()),
            "post" => id(&self.post()),
            "slug" => text(&self.post(), "slug"),
            "comment" => {
                let path = format!("/blog/posts/{}/comments", text(&self.post(), "slug"));
                id(&self.write(&path, &json!({ "body": "Well said" })))
            }
            "image" => text(&self.image(), "url").rsplit('/').next()?.to_owned(),
            _ => return None,
        })
    }

    fn of_billing(&mut self, kind: &str) -> Option<String> {
        Some(match kind {
            "plan" => id(&self.plan()),
            "customer" => id(&self.customer()),
            "subscription" => id(&self.subscription()),
            "paused" => {
                let subscription = id(&self.subscription());
                self.write(&format!("/billing/subscriptions/{subscription}/pause"), &Value::Null);
                subscription
            }
            "invoice" => id(&self.invoice()),
            "issued" => self.issued(),
            "payment" => self.payment(),
            "refund" => {
                let path = format!("/billing/payments/{}/refunds", self.payment());
                id(&self.write(&path, &json!({ "amount": 1 })))
            }
            "run" => id(&self.write("/billing/invoice-runs", &json!({}))),
            _ => return None,
        })
    }

    fn of_identity(&mut self, kind: &str) -> Option<String> {
        let word = self.word();
        let named = json!({ "name": word, "tenant": "default" });
        Some(match kind {
            "user" => self.user().id,
            "email" => self.user().email,
            "group" => id(&self.call("wharf.identity.v1.Groups/Create", &named)),
            "service" => id(&self.call("wharf.identity.v1.ServiceAccounts/Create", &named)["account"]),
            "tenant" => id(&self.call("wharf.identity.v1.Tenants/Create", &json!({ "id": word, "name": word }))),
            "invitation" => {
                let email = format!("{word}@example.org");
                let asked = json!({ "tenant": "default", "email": email, "name": word });
                self.call("wharf.identity.v1.Users/Invite", &asked);
                self.mailed(&email, "/identity/invitations/")
            }
            "administrator" => {
                let made = self.call("wharf.identity.v1.Bootstrap/InviteAdministrator", &json!({}));
                text(&made, "url").rsplit('/').next()?.to_owned()
            }
            "reset" => {
                let email = self.user().email;
                let asked = json!({ "tenant": "default", "email": email });
                self.call("wharf.identity.v1.Registration/RequestPasswordReset", &asked);
                self.mailed(&email, "/identity/resets/")
            }
            "verification" => {
                let somebody = self.unverified();
                let asked = somebody.call(self.server, "wharf.identity.v1.Users/SendVerification", &json!({}));
                self.good("SendVerification", &asked);
                self.mailed(&somebody.email, "/identity/verifications/")
            }
            _ => return None,
        })
    }

    fn of_auth(&mut self, kind: &str) -> Option<String> {
        let word = self.word();
        Some(match kind {
            "access" => self.user().token,
            "refresh" => self.user().refresh,
            // Of the caller themselves: beside the one that they go on with.
            "session" => {
                let mut other = self.root.clone();
                other.sign_in(self.server);
                let who = other.call(self.server, "wharf.auth.v1.Sessions/WhoAmI", &json!({}));
                text(&self.good("WhoAmI", &who), "session")
            }
            "api-key" => id(&self.call("wharf.auth.v1.ApiKeys/Create", &json!({ "name": word }))["about"]),
            "secret-key" => text(&self.call("wharf.auth.v1.ApiKeys/Create", &json!({ "name": word })), "key"),
            "client" => {
                let client = json!({ "name": word, "redirectUris": [BACK] });
                id(&self.call("wharf.auth.v1.Clients/Register", &client)["client"])
            }
            "role" => {
                self.call("wharf.authz.v1.Roles/Create", &json!({ "name": word, "tenant": "default" }));
                word
            }
            _ => return None,
        })
    }

    /// A word that nothing else is called by.
    fn word(&mut self) -> String {
        self.made += 1;
        format!("thing-{}", self.made)
    }

    fn user(&mut self) -> Person {
        let word = self.word();
        people::person(self.server, "default", &word, &[])
    }

    fn unverified(&mut self) -> Person {
        let email = format!("{}@example.org", self.word());
        let account = json!({ "tenant": "default", "email": email, "name": "New", "password": PASSWORD });
        let made = people::operate(self.server, "wharf.identity.v1.Users/Create", &account);
        let mut person = Person {
            id: id(&made),
            email,
            tenant: "default".to_owned(),
            token: String::new(),
            refresh: String::new(),
        };
        person.sign_in(self.server);
        person
    }

    fn draft(&mut self) -> Value {
        let title = self.word();
        self.write("/blog/posts", &json!({ "title": title, "body": "Some *text*", "tags": ["news"] }))
    }

    fn post(&mut self) -> Value {
        let path = format!("/blog/drafts/{}/publish", id(&self.draft()));
        let answer = self.root.send(self.server, "POST", &path, &[("if-match", "*")], b"");
        self.good(&path, &answer)
    }

    fn image(&mut self) -> Value {
        let bytes = [b"GIF89a\x01\x00\x01\x00\x00\x00\x00;".as_slice(), self.word().as_bytes()].concat();
        let kind = ("content-type", "application/octet-stream");
        let answer = self.root.send(self.server, "POST", "/blog/images", &[kind], &bytes);
        self.good("/blog/images", &answer)
    }

    fn plan(&mut self) -> Value {
        let code = self.word();
        let plan = json!({ "code": code, "name": code, "currency": "EUR", "price": 1000, "interval": "month",
            "meters": [{ "feature": "posts", "tiers": [{ "price": 5 }] }] });
        self.write("/billing/plans", &plan)
    }

    fn customer(&mut self) -> Value {
        let name = self.word();
        self.write("/billing/customers", &json!({ "name": name, "currency": "EUR" }))
    }

    fn subscription(&mut self) -> Value {
        let (customer, plan) = (id(&self.customer()), id(&self.plan()));
        self.write("/billing/subscriptions", &json!({ "customer": customer, "plan": plan }))
    }

    fn invoice(&mut self) -> Value {
        let lines = json!([{ "description": "Setup", "quantity": 2, "unit_price": 500 }]);
        let customer = id(&self.customer());
        self.write("/billing/invoices", &json!({ "customer": customer, "lines": lines }))
    }

    fn issued(&mut self) -> String {
        let invoice = id(&self.invoice());
        self.write(&format!("/billing/invoices/{invoice}/finalize"), &Value::Null);
        invoice
    }

    /// One that has succeeded.
    fn payment(&mut self) -> String {
        let path = format!("/billing/invoices/{}/pay", self.issued());
        let payment = id(&self.write(&path, &json!({ "token": "tok_ok" })));
        let path = format!("/billing/payments/{payment}");
        let settled = until(SOON, || {
            (self.root.get(self.server, &path).json()["state"] == "succeeded").then_some(())
        });
        assert!(
            settled.is_some(),
            "{path} is not settled; wharf printed:\n{}",
            self.server.process().output()
        );
        payment
    }

    /// POST with a key of its own.
    fn write(&mut self, path: &str, body: &Value) -> Value {
        let key = self.word();
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut fields = vec![("idempotency-key", key.as_str())];
        fields.extend((!body.is_empty()).then_some(JSON));
        let answer = self.root.send(self.server, "POST", path, &fields, body.as_bytes());
        self.good(path, &answer)
    }

    fn call(&self, method: &str, request: &Value) -> Value {
        let answer = self.root.call(self.server, method, request);
        self.good(method, &answer)
    }

    fn good(&self, what: &str, answer: &Answer) -> Value {
        assert!(
            (200..300).contains(&answer.status),
            "{what}: {} {}\nwharf printed:\n{}",
            answer.status,
            answer.body,
            self.server.process().output()
        );
        answer.json()
    }

    /// The token of the link that was mailed to somebody.
    fn mailed(&self, email: &str, path: &str) -> String {
        let found = until(SOON, || {
            let listed = self.server.wharf(&["mail", "list", "identity", "--limit", "200", "--json"]);
            let rows: Vec<Value> = serde_json::from_str(&listed.out).ok()?;
            let row = rows
                .into_iter()
                .find(|row| row["to"][0].as_str().is_some_and(|to| to.contains(email)))?;
            let shown = self.server.wharf(&["mail", "show", "identity", row["id"].as_str()?, "--json"]);
            let (_, rest) = shown.out.split_once(path)?;
            let token: String = rest
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
                .collect();
            Some(token)
        });
        found.unwrap_or_else(|| panic!("no mail with {path} to {email}; wharf printed:\n{}", self.server.process().output()))
    }
}

fn id(value: &Value) -> String {
    text(value, "id")
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}
