//! What whoever calls may do.
//!
//! [`Authz`] asks the host, [`Resource`] is what it is done to, [`Scope`] is on which rows it may be done.

#[cfg(feature = "database")]
mod condition;
mod scope;

use wharf_plugin_api::abi_stable::std_types::RStr;
use wharf_plugin_api::services::authz::AuthzRef;
use wharf_plugin_api::{Fault, FaultCode};

use crate::principal::Principal;
use crate::problem::Problem;
#[cfg(feature = "database")]
pub use condition::named;
pub use scope::{Narrowed, Rows, Scope};

/// What whoever calls this module may do, by the rules of the host. It answers from memory.
///
/// In handlers of HTTP and gRPC that is the caller, in handlers of events and jobs the module itself. A task that was spawned has
/// no caller: ask before. Permissions are this module's own, listed in `wharf.toml` under `[[permissions]]`.
#[derive(Clone)]
pub struct Authz(AuthzRef);

/// What something is done to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Resource {
    name: String,
    owner: String,
}

/// Why they may or may not.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// Whether they may.
    pub allowed: bool,
    /// One sentence.
    pub because: String,
    /// The rule that decided, in the form of a policy line, if one did.
    pub rule: Option<String>,
    /// How the caller comes to hold it: each step a binding, from the caller to the subject of the rule.
    pub path: Vec<String>,
}

impl Resource {
    /// No resource in particular: the permission as such, which only a rule for every resource gives.
    pub fn any() -> Self {
        Self::default()
    }

    /// The one of this name, such as `post/17`.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            owner: String::new(),
        }
    }

    /// It belongs to this subject, such as `user:01J...`: [`Principal::subject`] of whoever made it.
    pub fn owned_by(mut self, subject: impl Into<String>) -> Self {
        self.owner = subject.into();
        self
    }
}

impl From<&str> for Resource {
    fn from(name: &str) -> Self {
        Self::named(name)
    }
}

impl Authz {
    pub(crate) fn new(service: AuthzRef) -> Self {
        Self(service)
    }

    /// Whether the caller holds a permission on a resource.
    ///
    /// # Errors
    /// `undeclared` when `wharf.toml` does not list the permission, `unavailable` when the rules are not known, `invalid` outside of
    /// a handler.
    pub fn check(&self, permission: &str, resource: impl Into<Resource>) -> Result<bool, Fault> {
        let resource = resource.into();
        self.0
            .check(permission.into(), lent(&resource.name), lent(&resource.owner))
            .into_result()
    }

    /// The same for what must be allowed.
    ///
    /// # Errors
    /// 403 when they may not, 401 when nobody knows who is calling, 503 when the rules are not known; 500 for a permission that is
    /// not declared, or outside of a handler. `?` also makes a gRPC status of it.
    pub fn require(&self, permission: &str, resource: impl Into<Resource>) -> Result<(), Problem> {
        match self.check(permission, resource) {
            Ok(true) => Ok(()),
            Ok(false) if Principal::current().is_none() => Err(Problem::unauthenticated("this needs a caller who is signed in")),
            Ok(false) => Err(Problem::forbidden(format!("this needs the permission {permission}"))),
            Err(fault) if fault.code == FaultCode::UNAVAILABLE => {
                Err(Problem::unavailable("it cannot be found out at this moment what the caller may do"))
            }
            Err(fault) => Err(Problem::internal(fault)),
        }
    }

    /// On which rows the caller holds a permission: for lists and counts.
    ///
    /// # Errors
    /// As [`Authz::check`].
    pub fn scope(&self, permission: &str) -> Result<Scope, Fault> {
        let found = self.0.scope(permission.into()).into_result()?;
        Ok(Scope::of(found))
    }

    /// Why the caller holds a permission on a resource or not. For people who may know: it names rules and roles.
    ///
    /// # Errors
    /// As [`Authz::check`].
    pub fn explain(&self, permission: &str, resource: impl Into<Resource>) -> Result<Explanation, Fault> {
        let resource = resource.into();
        let found = self
            .0
            .explain(permission.into(), lent(&resource.name), lent(&resource.owner))
            .into_result()?;
        Ok(Explanation {
            allowed: found.allowed,
            because: found.because.into(),
            rule: Some(found.rule.into_string()).filter(|rule| !rule.is_empty()),
            path: found.path.into_iter().map(Into::into).collect(),
        })
    }
}

fn lent(text: &str) -> RStr<'_> {
    RStr::from_str(text)
}

impl std::fmt::Debug for Authz {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Authz")
    }
}
