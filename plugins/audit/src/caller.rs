//! Who is calling, and which tenants they see.

use wharf_sdk::{Principal, PrincipalKind};

use crate::Audit;
use crate::error::{Error, Result};

/// All tenants.
pub(crate) const ALL: &str = "*";

/// Who is calling.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `user:ID`, `service:ID`, `module:ID` or `host`.
    pub(crate) subject: String,
    /// Of the account; none for modules and the host, which see all.
    pub(crate) tenant: Option<String>,
}

impl Caller {
    /// Of the call that is being handled now.
    pub(crate) fn current() -> Self {
        let Some(who) = Principal::current() else {
            // Policies let nobody through who is unknown; should one, they see nothing.
            return Self {
                subject: "anonymous".to_owned(),
                tenant: Some(String::new()),
            };
        };
        let everywhere = matches!(who.kind, PrincipalKind::Host | PrincipalKind::Module);
        Self {
            subject: who.subject().to_owned(),
            tenant: (!everywhere).then(|| who.tenant.clone()),
        }
    }
}

impl Audit {
    /// The tenant whose entries a call may see; none: all of them.
    pub(crate) async fn tenant_of(&self, caller: &Caller, named: &str, permission: &str) -> Result<Option<String>> {
        let named = match (named, &caller.tenant) {
            ("", None) => ALL,
            ("", Some(own)) => own,
            (named, _) => named,
        };
        if let Some(own) = &caller.tenant
            && own != named
            && !self.rules.holds(&caller.subject, named, permission).await?
        {
            return Err(Error::Denied(format!(
                "{} does not hold {permission} in tenant {named}",
                caller.subject
            )));
        }
        Ok(Some(named.to_owned()).filter(|named| named != ALL))
    }

    /// Whole chains have entries of all tenants.
    pub(crate) async fn needs_all(&self, caller: &Caller, permission: &str) -> Result<()> {
        self.tenant_of(caller, ALL, permission).await?;
        Ok(())
    }
}
