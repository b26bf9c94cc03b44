//! Who calls, and whose things they may see.

use wharf_proto::pages;
use wharf_sdk::{Principal, PrincipalKind};

use crate::failure::Failure;

/// Somebody who is known.
pub(super) struct Caller {
    pub(super) kind: PrincipalKind,
    pub(super) id: String,
    pub(super) session: Option<String>,
    pub(super) scopes: Option<Vec<String>>,
    tenant: String,
}

impl Caller {
    /// Anybody: the policy has let them in.
    pub(super) fn known() -> Result<Self, Failure> {
        let who = Principal::current().ok_or(Failure::Forbidden("this needs a caller who is signed in"))?;
        Ok(Self {
            kind: who.kind,
            id: who.id,
            session: who.session,
            scopes: who.scopes,
            tenant: who.tenant,
        })
    }

    /// A user or a service account: the others have neither sessions nor keys.
    pub(super) fn account() -> Result<Self, Failure> {
        let who = Self::known()?;
        match who.kind {
            PrincipalKind::User | PrincipalKind::Service => Ok(who),
            _ => Err(Failure::Forbidden("this is for users and service accounts")),
        }
    }

    /// The tenant whose things it may see; none for the host, and for modules in their own name: all.
    pub(super) fn tenant(&self) -> Option<String> {
        match self.kind {
            PrincipalKind::User | PrincipalKind::Service => Some(self.tenant.clone()),
            _ => None,
        }
    }
}

/// Where a page begins, and how many rows it has.
pub(crate) struct Page {
    /// Id of the last row of the page before.
    pub(crate) after: Option<String>,
    pub(crate) size: usize,
}

impl Page {
    /// Of `page_size` and `page_token`. Tokens are ids of rows.
    pub(super) fn read(size: u32, token: String) -> Result<Self, Failure> {
        if !token.is_empty() && uuid::Uuid::parse_str(&token).is_err() {
            return Err(Failure::Invalid(format!(
                "found page token {token:?}, expected `next_page_token` of the page before"
            )));
        }
        Ok(Self {
            after: Some(token).filter(|token| !token.is_empty()),
            size: pages::size(size),
        })
    }
}

/// Id of the account in "user:ID"; none when there is no subject.
pub(super) fn account_of(subject: &str) -> Result<Option<String>, Failure> {
    match subject.split_once(':') {
        None if subject.is_empty() => Ok(None),
        Some(("user" | "service", id)) if !id.is_empty() => Ok(Some(id.to_owned())),
        _ => Err(Failure::Invalid(format!(
            "found subject {subject:?}, expected \"user:ID\" or \"service:ID\""
        ))),
    }
}
