//! What a module says of one thing that was done.

use serde::Serialize;
use serde_json::Value;

use super::{Change, Outcome};

/// What stands in the place of a secret.
const MASK: &str = "\"***\"";
/// A field whose name contains one of these is a secret.
const SECRET: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "private_key",
    "authorization",
    "cookie",
    "credential",
    "otp",
];
/// A field one of whose words is one of these is a secret.
const SECRET_WORDS: [&str; 5] = ["key", "pin", "salt", "hash", "signature"];

/// One thing that was done, or tried. Who did it, when, from where and in which request is added by the host.
///
/// ```
/// # use wharf_sdk::audit::Entry;
/// let entry = Entry::of("blog.post.publish").on("post/17").changed("title", &"Draft", &"News");
/// # drop(entry);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "an entry is recorded by `ctx.audit()?.record(&tx, entry)`"]
pub struct Entry {
    pub(crate) action: String,
    pub(crate) object: String,
    pub(crate) outcome: Outcome,
    pub(crate) reason: String,
    pub(crate) tenant: String,
    pub(crate) changes: Vec<Change>,
}

impl Entry {
    /// That this was done: dotted words that begin with the module's id, such as a permission.
    pub fn of(action: &str) -> Self {
        Self {
            action: action.to_owned(),
            object: String::new(),
            outcome: Outcome::Success,
            reason: String::new(),
            tenant: String::new(),
            changes: Vec::new(),
        }
    }

    /// On what, such as `post/17`: the name of the resource that permissions are asked for.
    pub fn on(mut self, object: impl Into<String>) -> Self {
        self.object = object.into();
        self
    }

    /// It was not done: they may not. The reason is for people and never has a secret.
    pub fn denied(mut self, reason: impl Into<String>) -> Self {
        self.outcome = Outcome::Denied;
        self.reason = reason.into();
        self
    }

    /// It was not done: it did not work.
    pub fn failed(mut self, reason: impl Into<String>) -> Self {
        self.outcome = Outcome::Failure;
        self.reason = reason.into();
        self
    }

    /// In this tenant, where it is not that of the caller.
    pub fn in_tenant(mut self, tenant: &str) -> Self {
        tenant.clone_into(&mut self.tenant);
        self
    }

    /// A field that had another value. Equal values are left out; those of fields with the name of a secret are masked.
    pub fn changed<B: Serialize + ?Sized, A: Serialize + ?Sized>(self, field: &str, before: &B, after: &A) -> Self {
        let (before, after) = (json(before), json(after));
        if before == after {
            return self;
        }
        self.with(field, Some(before), Some(after))
    }

    /// A field that was not there before.
    pub fn added<A: Serialize + ?Sized>(self, field: &str, after: &A) -> Self {
        let after = json(after);
        self.with(field, None, Some(after))
    }

    /// A field that is not there any more.
    pub fn removed<B: Serialize + ?Sized>(self, field: &str, before: &B) -> Self {
        let before = json(before);
        self.with(field, Some(before), None)
    }

    /// This field is a secret: its values are masked, whatever its name. Without a change of that name it says that it changed.
    pub fn secret(mut self, field: &str) -> Self {
        let mut is_there = false;
        for change in self.changes.iter_mut().filter(|change| change.field == field) {
            mask(change);
            is_there = true;
        }
        if !is_there {
            let masked = Some(MASK.to_owned());
            self.changes.push(Change {
                field: field.to_owned(),
                before: masked.clone(),
                after: masked,
            });
        }
        self
    }

    fn with(mut self, field: &str, before: Option<Value>, after: Option<Value>) -> Self {
        let text = |value: Value| masked(value).to_string();
        let mut change = Change {
            field: field.to_owned(),
            before: before.map(text),
            after: after.map(text),
        };
        if is_secret(field) {
            mask(&mut change);
        }
        self.changes.push(change);
        self
    }
}

fn mask(change: &mut Change) {
    for value in [&mut change.before, &mut change.after] {
        if value.is_some() {
            *value = Some(MASK.to_owned());
        }
    }
}

/// The same without what stands in members that have the name of a secret.
fn masked(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| {
                    let value = if is_secret(&name) && !value.is_null() {
                        Value::from("***")
                    } else {
                        masked(value)
                    };
                    (name, value)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.into_iter().map(masked).collect()),
        other => other,
    }
}

/// Whether a field of this name is taken for a secret: too often rather than too seldom.
fn is_secret(field: &str) -> bool {
    let words = words(field);
    let joined = words.join("_");
    SECRET.iter().any(|secret| joined.contains(secret)) || words.iter().any(|word| SECRET_WORDS.contains(&word.as_str()))
}

/// `passwordHash`, `password_hash` and `Password-Hash` are the same words.
fn words(field: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in field.chars() {
        let starts = !c.is_alphanumeric() || (c.is_uppercase() && was_lower);
        if starts && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        if let Some(word) = words.last_mut().filter(|_| c.is_alphanumeric()) {
            word.extend(c.to_lowercase());
        }
    }
    words
}

/// What cannot be written as JSON is shown as `null`: an audit entry is not the place to fail for it.
fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known_in_every_spelling() {
        for name in [
            "password",
            "passwordHash",
            "API-Key",
            "api_key",
            "apiKey",
            "refresh_token",
            "Authorization",
            "key",
            "clientSecret",
            "pin",
        ] {
            assert!(is_secret(name), "{name}");
        }
        for name in ["title", "keyboard", "pinned", "hashtag", "monkey", "tenant"] {
            assert!(!is_secret(name), "{name}");
        }
    }

    #[test]
    fn secrets_are_masked_and_what_did_not_change_is_left_out() {
        let entry = Entry::of("blog.user.update")
            .changed("title", "a", "b")
            .changed("same", &1, &1)
            .changed("password", "canary", "canary2")
            .added("profile", &serde_json::json!({ "name": "Ada", "apiToken": "canary" }))
            .changed("nick", "canary", "x")
            .secret("nick")
            .secret("card");
        let text = format!("{entry:?}");
        assert!(!text.contains("canary"), "{text}");
        let fields: Vec<_> = entry.changes.iter().map(|change| change.field.as_str()).collect();
        assert_eq!(fields, ["title", "password", "profile", "nick", "card"]);
    }
}
