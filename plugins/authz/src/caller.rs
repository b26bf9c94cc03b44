//! Who is calling.

use wharf_sdk::{Principal, PrincipalKind};

use crate::error::{Error, Result};

/// The tenant of callers who have none.
const DEFAULT_TENANT: &str = "default";

/// Who is calling.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// `user:ID`, `service:ID`, `module:ID` or `host`.
    pub(crate) subject: String,
    /// Empty for the host, and for modules in their own name.
    pub(crate) tenant: String,
    /// The host may do everything. A module in its own name was let in by what its manifest asks for, which whoever lets it run
    /// has granted.
    pub(crate) trusted: bool,
    /// Permissions its token is restricted to.
    pub(crate) scopes: Option<Vec<String>>,
}

impl Caller {
    /// Of the call that is being handled now.
    ///
    /// # Errors
    /// When nobody knows: the policies of the methods let nobody in whom nobody knows, so this is a last line.
    pub(crate) fn current() -> Result<Self> {
        let unknown = || Error::Denied("nobody knows who is calling".to_owned());
        let principal = Principal::current().ok_or_else(unknown)?;
        Ok(Self {
            subject: principal.subject().to_owned(),
            trusted: matches!(principal.kind, PrincipalKind::Host | PrincipalKind::Module),
            tenant: principal.tenant,
            scopes: principal.scopes,
        })
    }

    /// The tenant that is meant where none is named.
    pub(crate) fn home(&self) -> &str {
        if self.tenant.is_empty() { DEFAULT_TENANT } else { &self.tenant }
    }

    /// The tenant that is meant: the one that is named, or the caller's.
    pub(crate) fn tenant<'a>(&'a self, named: &'a str) -> &'a str {
        if named.is_empty() { self.home() } else { named }
    }

    /// The same for reading: whoever has no tenant sees all.
    pub(crate) fn view<'a>(&'a self, named: &'a str) -> &'a str {
        match (named, self.tenant.as_str()) {
            ("", "") => "*",
            ("", own) => own,
            (named, _) => named,
        }
    }
}
