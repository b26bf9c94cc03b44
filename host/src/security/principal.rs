//! Who is calling.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

/// Who is calling. Cheap to clone: it goes along with every call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Principal {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// Somebody who was authenticated.
    Known(Arc<Identity>),
}

/// Somebody who was authenticated.
#[derive(Clone, PartialEq, Eq)]
pub struct Identity {
    /// What kind of caller it is.
    pub kind: Kind,
    /// Id within its kind: of the account, or of the module.
    pub id: String,
    /// Tenant it acts in; empty for the host and for modules, which act in that of their caller.
    pub tenant: String,
    /// For people to read; may be empty.
    pub name: String,
    /// Session its token belongs to.
    pub session: Option<String>,
    /// OAuth client, or API key, it came with.
    pub client: Option<String>,
    /// Permissions it is restricted to, as globs; none: all that its rules give.
    pub scopes: Option<Arc<[String]>>,
    /// When it proved who it is.
    pub authenticated_at: Option<Timestamp>,
    /// For modules: permissions that their manifests ask for, by callee. Whoever lets a module run grants them.
    pub grants: Arc<[String]>,
    /// `kind:id`.
    subject: String,
    /// What modules see of it, as JSON.
    wire: Box<[u8]>,
}

/// What kind of caller somebody is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A person.
    User,
    /// A program outside.
    Service,
    /// A module of this installation, in its own name.
    Module,
    /// The host itself.
    Host,
}

/// What an [`Identity`] is made of beside kind and id.
#[derive(Clone, Debug, Default)]
pub struct About {
    /// See [`Identity::tenant`].
    pub tenant: String,
    /// See [`Identity::name`].
    pub name: String,
    /// See [`Identity::session`].
    pub session: Option<String>,
    /// See [`Identity::client`].
    pub client: Option<String>,
    /// See [`Identity::scopes`].
    pub scopes: Option<Vec<String>>,
    /// See [`Identity::authenticated_at`].
    pub authenticated_at: Option<Timestamp>,
    /// See [`Identity::grants`].
    pub grants: Vec<String>,
}

/// The form that crosses the ABI in `CallContext::principal`. Fields are only ever added.
#[derive(Serialize)]
struct Wire<'a> {
    kind: &'a str,
    id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    tenant: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scopes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    authenticated_at: Option<i64>,
}

impl Principal {
    /// Somebody who was authenticated.
    #[must_use]
    pub fn known(kind: Kind, id: &str, about: About) -> Self {
        Self::Known(Arc::new(Identity::new(kind, id, about)))
    }

    /// The host itself: it may do everything.
    #[must_use]
    pub fn host() -> Self {
        Self::known(Kind::Host, "host", About::default())
    }

    /// A module in its own name, with the permissions its manifest asks for.
    #[must_use]
    pub fn module(id: &str, grants: Vec<String>) -> Self {
        Self::known(
            Kind::Module,
            id,
            About {
                grants,
                ..About::default()
            },
        )
    }

    /// Who it is, if that is known.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        match self {
            Self::Anonymous => None,
            Self::Known(identity) => Some(identity),
        }
    }

    /// What crosses the ABI; empty for nobody.
    #[must_use]
    pub fn wire(&self) -> &[u8] {
        self.identity().map_or(&[], |identity| &identity.wire)
    }

    /// `user:01J...`, `module:blog`, `host`, or `anonymous`.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.identity().map_or("anonymous", |identity| &identity.subject)
    }
}

impl Identity {
    /// Puts one together.
    #[must_use]
    pub fn new(kind: Kind, id: &str, about: About) -> Self {
        let subject = match kind {
            Kind::Host => kind.name().to_owned(),
            _ => format!("{}:{id}", kind.name()),
        };
        let wire = Wire {
            kind: kind.name(),
            id,
            tenant: &about.tenant,
            name: &about.name,
            session: about.session.as_deref(),
            client: about.client.as_deref(),
            scopes: about.scopes.as_deref(),
            authenticated_at: about.authenticated_at.map(Timestamp::as_second),
        };
        let wire = serde_json::to_vec(&wire).unwrap_or_default().into();
        Self {
            kind,
            id: id.to_owned(),
            tenant: about.tenant,
            name: about.name,
            session: about.session,
            client: about.client,
            scopes: about.scopes.map(Into::into),
            authenticated_at: about.authenticated_at,
            grants: about.grants.into(),
            subject,
            wire,
        }
    }

    /// `user:01J...`, `module:blog`, or `host`.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }
}

impl Kind {
    /// As in subjects: `user`, `service`, `module`, `host`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Service => "service",
            Self::Module => "module",
            Self::Host => "host",
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({} in {:?})", self.subject, self.tenant)
    }
}
