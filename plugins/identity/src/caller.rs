//! Who is calling, and in which tenants they may act.

use wharf_sdk::{Principal, PrincipalKind};

use crate::Identity;
use crate::error::{Error, Result};

/// The tenant that is always there.
pub(crate) const DEFAULT_TENANT: &str = "default";

/// Who is calling.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `user:ID`, `service:ID`, `module:ID` or `host`.
    pub(crate) subject: String,
    /// Of the account; none for modules and the host, which act in every tenant.
    pub(crate) tenant: Option<String>,
    /// Session of the call, if it came with one.
    pub(crate) session: Option<String>,
}

impl Caller {
    /// Of the call that is being handled now.
    pub(crate) fn current() -> Self {
        let Some(who) = Principal::current() else {
            // Policies let nobody through who is unknown; should one, they see nothing.
            return Self {
                subject: "anonymous".to_owned(),
                tenant: Some(String::new()),
                session: None,
            };
        };
        let everywhere = matches!(who.kind, PrincipalKind::Host | PrincipalKind::Module);
        Self {
            subject: who.subject().to_owned(),
            tenant: (!everywhere).then(|| who.tenant.clone()),
            session: who.session.clone(),
        }
    }

    /// Id of the account, if it is a person's.
    pub(crate) fn user(&self) -> Option<&str> {
        self.subject.strip_prefix("user:")
    }
}

impl Identity {
    /// The tenant that a call is about: the one it names, or the caller's own.
    pub(crate) async fn tenant_of(&self, caller: &Caller, named: &str, permission: &str) -> Result<String> {
        let own = caller.tenant.as_deref().unwrap_or(DEFAULT_TENANT);
        let tenant = if named.is_empty() { own } else { named };
        if !self.may_act_in(caller, tenant, permission).await? {
            return Err(Error::Denied(format!(
                "{} does not hold {permission} in tenant {tenant}",
                caller.subject
            )));
        }
        Ok(tenant.to_owned())
    }

    /// Refuses what belongs to a tenant the caller sees nothing of, as if it were not there.
    pub(crate) async fn sees(&self, caller: &Caller, tenant: &str, permission: &str, what: &'static str) -> Result<()> {
        match self.may_act_in(caller, tenant, permission).await? {
            true => Ok(()),
            false => Err(Error::NotFound(what)),
        }
    }

    /// Whether a caller, who holds a permission in the own tenant, holds it in this one too. `*` stands for all.
    pub(crate) async fn may_act_in(&self, caller: &Caller, tenant: &str, permission: &str) -> Result<bool> {
        match &caller.tenant {
            None => Ok(true),
            Some(own) if own == tenant => Ok(true),
            Some(_) => self.rules.holds(&caller.subject, tenant, permission).await,
        }
    }
}
