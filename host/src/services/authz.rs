//! `authz`: what whoever calls the module may do, by the rules of this host.

use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RResult, RStr};
use wharf_plugin_api::services::authz::{Authz, Authz_TO, AuthzRef, Reason, RowScope, RowSet};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::{Inner, stopped};
use crate::security::{Decision, Principal, Resource, Rows};

#[derive(Clone)]
struct Asking(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> AuthzRef {
    Authz_TO::from_ptr(RArc::new(Asking(inner.clone())), TD_Opaque)
}

impl Asking {
    /// Who it is about, when the module may ask about this permission.
    fn who(&self, permission: &str) -> Result<Principal, Fault> {
        let inner = &self.0;
        if inner.standing.is_retired() {
            return Err(stopped());
        }
        if !inner.manifest.permissions.iter().any(|declared| declared.name == permission) {
            return Err(Fault::new(
                FaultCode::UNDECLARED,
                format!(
                    "the permission {permission:?} is not declared; add a [[permissions]] with `name = \"{permission}\"` to wharf.toml"
                ),
            ));
        }
        inner.with_call(|call| call.principal.clone()).ok_or_else(|| {
            Fault::new(
                FaultCode::INVALID,
                "no call runs on this thread, so nobody is there to ask about: ask in the handler, before a task is spawned",
            )
        })
    }

    fn check(&self, permission: &str, resource: Resource<'_>) -> Result<bool, Fault> {
        let who = self.who(permission)?;
        allowed(self.0.shared.authorizer.check(&who, permission, resource))
    }

    fn scope(&self, permission: &str) -> Result<RowScope, Fault> {
        let who = self.who(permission)?;
        let scope = self.0.shared.authorizer.scope(&who, permission).ok_or_else(unknown)?;
        Ok(RowScope {
            subject: who.subject().into(),
            allow: rows(scope.allow),
            deny: rows(scope.deny),
        })
    }

    fn explain(&self, permission: &str, resource: Resource<'_>) -> Result<Reason, Fault> {
        let who = self.who(permission)?;
        let why = self.0.shared.authorizer.explain(&who, permission, resource);
        Ok(Reason {
            allowed: allowed(why.decision)?,
            because: why.because.into(),
            rule: why.rule.unwrap_or_default().into(),
            path: why.path.into_iter().map(Into::into).collect(),
        })
    }
}

impl Authz for Asking {
    fn check(&self, permission: RStr<'_>, resource: RStr<'_>, owner: RStr<'_>) -> RResult<bool, Fault> {
        guard(|| Asking::check(self, permission.as_str(), of(resource.as_str(), owner.as_str())))
            .unwrap_or_else(Err)
            .into()
    }

    fn scope(&self, permission: RStr<'_>) -> RResult<RowScope, Fault> {
        guard(|| Asking::scope(self, permission.as_str())).unwrap_or_else(Err).into()
    }

    fn explain(&self, permission: RStr<'_>, resource: RStr<'_>, owner: RStr<'_>) -> RResult<Reason, Fault> {
        guard(|| Asking::explain(self, permission.as_str(), of(resource.as_str(), owner.as_str())))
            .unwrap_or_else(Err)
            .into()
    }
}

fn of<'a>(name: &'a str, owner: &'a str) -> Resource<'a> {
    Resource {
        name,
        owner: Some(owner).filter(|owner| !owner.is_empty()),
    }
}

fn allowed(decision: Decision) -> Result<bool, Fault> {
    match decision {
        Decision::Allow => Ok(true),
        Decision::Deny => Ok(false),
        Decision::Unknown => Err(unknown()),
    }
}

fn unknown() -> Fault {
    Fault::new(
        FaultCode::UNAVAILABLE,
        "the rules are not known at this moment: the module authz does not answer, or what is known of it is too old",
    )
}

fn rows(rows: Rows) -> RowSet {
    RowSet {
        all: rows.all,
        own: rows.own,
        names: rows.names.into_iter().map(Into::into).collect(),
        globs: rows.globs.into_iter().map(Into::into).collect(),
    }
}
