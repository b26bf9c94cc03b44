//! Who is calling.

use std::fmt;
use std::time::{Duration, SystemTime};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use serde::Deserialize;

use crate::bridge::scope;
use crate::problem::Problem;

/// Somebody who was authenticated, as the host says.
///
/// An extractor: `async fn create(who: Principal, ...)` answers 401 when nobody knows who is calling, `Option<Principal>` does not.
/// Handlers of gRPC, events and jobs ask [`Principal::current`]. What somebody may do is not in here: ask
/// [`Context::authz`](crate::Context::authz).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Principal {
    /// What kind of caller it is.
    pub kind: PrincipalKind,
    /// Id within its kind: of the account, or of the module.
    pub id: String,
    /// Tenant it acts in; empty for modules in their own name.
    pub tenant: String,
    /// For people to read; may be empty.
    pub name: String,
    /// Session its token belongs to.
    pub session: Option<String>,
    /// OAuth client, or API key, it came with.
    pub client: Option<String>,
    /// Permissions it is restricted to, as globs; none: all that its rules give.
    pub scopes: Option<Vec<String>>,
    /// When it proved who it is.
    pub authenticated_at: Option<SystemTime>,
    subject: String,
}

/// What kind of caller somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program outside.
    Service,
    /// A module, in its own name.
    Module,
    /// The host itself.
    Host,
}

/// The form that crosses the ABI. Fields are only ever added.
#[derive(Deserialize)]
struct Wire {
    kind: String,
    id: String,
    #[serde(default)]
    tenant: String,
    #[serde(default)]
    name: String,
    session: Option<String>,
    client: Option<String>,
    scopes: Option<Vec<String>>,
    authenticated_at: Option<i64>,
}

impl Principal {
    /// Who calls what is being handled now; in handlers of events and jobs this module. None for anonymous calls, and in tasks that
    /// were spawned: take it along by value.
    #[must_use]
    pub fn current() -> Option<Self> {
        scope::current_call(|call| Self::read(call.context.principal())).flatten()
    }

    /// The same for those who must be known.
    ///
    /// # Errors
    /// [`Problem::unauthenticated`], which `?` also turns into a gRPC status.
    pub fn required() -> Result<Self, Problem> {
        Self::current().ok_or_else(|| Problem::unauthenticated("this needs a caller who is signed in"))
    }

    /// `user:01J...`, `service:01J...`, `module:blog`, or `host`: whom rows belong to and rules name.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// What cannot be read is nobody: the host has decided by what it knows itself.
    pub(crate) fn read(wire: &[u8]) -> Option<Self> {
        if wire.is_empty() {
            return None;
        }
        let wire: Wire = serde_json::from_slice(wire).ok()?;
        let kind = match wire.kind.as_str() {
            "user" => PrincipalKind::User,
            "service" => PrincipalKind::Service,
            "module" => PrincipalKind::Module,
            "host" => PrincipalKind::Host,
            _ => return None,
        };
        let since = wire.authenticated_at.and_then(|at| u64::try_from(at).ok());
        Some(Self {
            kind,
            subject: match kind {
                PrincipalKind::Host => wire.kind,
                _ => format!("{}:{}", wire.kind, wire.id),
            },
            id: wire.id,
            tenant: wire.tenant,
            name: wire.name,
            session: wire.session,
            client: wire.client,
            scopes: wire.scopes,
            authenticated_at: since.and_then(|since| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(since))),
        })
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)
    }
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::required()
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(Self::current())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn what_the_host_says_is_read_and_what_is_unknown_is_nobody() {
        let who = Principal::read(br#"{"kind":"user","id":"1","tenant":"t","scopes":["blog.*"],"authenticated_at":60,"later":1}"#).unwrap();
        assert_eq!((who.subject(), who.tenant.as_str(), who.kind), ("user:1", "t", PrincipalKind::User));
        assert_eq!(who.authenticated_at, Some(SystemTime::UNIX_EPOCH + Duration::from_secs(60)));
        assert_eq!(Principal::read(br#"{"kind":"host","id":"host"}"#).unwrap().subject(), "host");
        for nobody in [&b""[..], b"{", br#"{"kind":"god","id":"1"}"#] {
            assert_eq!(Principal::read(nobody), None);
        }
    }
}
