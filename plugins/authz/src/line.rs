//! Rules and bindings: one line each, as casbin writes them.

use std::fmt;

use serde::{Deserialize, Serialize};
use wharf_proto::authz::v1;

use crate::error::{Error, Result};

/// All tenants.
pub(crate) const EVERYWHERE: &str = "*";
/// Longest of any field.
const LONGEST: usize = 500;
/// Kinds of subjects.
const KINDS: [&str; 5] = ["role", "group", "user", "service", "module"];

/// Whoever is, or holds, the subject may or may not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct RuleLine {
    pub(crate) subject: String,
    pub(crate) tenant: String,
    pub(crate) permission: String,
    pub(crate) resource: String,
    pub(crate) deny: bool,
}

/// A member holds all that a role holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct BindingLine {
    pub(crate) member: String,
    pub(crate) role: String,
    pub(crate) tenant: String,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleLine {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) tenant: String,
    pub(crate) built_in: bool,
}

/// What changes from one epoch to the next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Change {
    pub(crate) rules_added: Vec<RuleLine>,
    pub(crate) rules_removed: Vec<RuleLine>,
    pub(crate) bindings_added: Vec<BindingLine>,
    pub(crate) bindings_removed: Vec<BindingLine>,
    pub(crate) roles_added: Vec<RoleLine>,
    pub(crate) roles_removed: Vec<String>,
}

impl RuleLine {
    /// Reads what was sent. An empty resource is every resource; an empty tenant is the one given.
    pub(crate) fn read(rule: Option<v1::Rule>, tenant: &str) -> Result<Self> {
        let rule = rule.ok_or_else(|| Error::Invalid("found no rule, expected one in `rule`".to_owned()))?;
        let line = Self {
            tenant: or(rule.tenant, tenant),
            resource: or(rule.resource, "*"),
            subject: rule.subject,
            permission: rule.permission,
            deny: rule.deny,
        };
        subject(&line.subject, &KINDS)?;
        text("tenant", &line.tenant)?;
        text("permission", &line.permission)?;
        text("resource", &line.resource)?;
        Ok(line)
    }

    /// As casbin has it: `sub, dom, act, obj, eft`.
    pub(crate) fn to_policy(&self) -> Vec<String> {
        let effect = if self.deny { "deny" } else { "allow" };
        [&self.subject, &self.tenant, &self.permission, &self.resource, effect]
            .map(ToOwned::to_owned)
            .to_vec()
    }

    /// From what casbin has.
    pub(crate) fn of_policy(policy: &[String]) -> Option<Self> {
        let [subject, tenant, permission, resource, effect] = policy else {
            return None;
        };
        Some(Self {
            subject: subject.clone(),
            tenant: tenant.clone(),
            permission: permission.clone(),
            resource: resource.clone(),
            deny: effect == "deny",
        })
    }
}

impl BindingLine {
    /// Reads what was sent. An empty tenant is the one given.
    pub(crate) fn read(binding: Option<v1::Binding>, tenant: &str) -> Result<Self> {
        let binding = binding.ok_or_else(|| Error::Invalid("found no binding, expected one in `binding`".to_owned()))?;
        let line = Self {
            tenant: or(binding.tenant, tenant),
            member: binding.member,
            role: binding.role,
        };
        subject(&line.member, &KINDS)?;
        subject(&line.role, &["role", "group"])?;
        text("tenant", &line.tenant)?;
        if line.member == line.role {
            return Err(Error::Invalid(format!("found {} as member of itself", line.member)));
        }
        Ok(line)
    }

    /// As casbin has it.
    pub(crate) fn to_policy(&self) -> Vec<String> {
        vec![self.member.clone(), self.role.clone(), self.tenant.clone()]
    }

    /// From what casbin has.
    pub(crate) fn of_policy(policy: &[String]) -> Option<Self> {
        let [member, role, tenant] = policy else { return None };
        Some(Self {
            member: member.clone(),
            role: role.clone(),
            tenant: tenant.clone(),
        })
    }
}

impl Change {
    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What hosts are told.
    pub(crate) fn to_update(&self, epoch: u64) -> v1::PolicyUpdate {
        v1::PolicyUpdate {
            epoch,
            snapshot: false,
            rules_added: self.rules_added.iter().map(Into::into).collect(),
            rules_removed: self.rules_removed.iter().map(Into::into).collect(),
            bindings_added: self.bindings_added.iter().map(Into::into).collect(),
            bindings_removed: self.bindings_removed.iter().map(Into::into).collect(),
        }
    }
}

impl From<&RuleLine> for v1::Rule {
    fn from(line: &RuleLine) -> Self {
        let RuleLine {
            subject,
            tenant,
            permission,
            resource,
            deny,
        } = line.clone();
        Self {
            subject,
            tenant,
            permission,
            resource,
            deny,
        }
    }
}

impl From<&BindingLine> for v1::Binding {
    fn from(line: &BindingLine) -> Self {
        let BindingLine { member, role, tenant } = line.clone();
        Self { member, role, tenant }
    }
}

impl From<&RoleLine> for v1::Role {
    fn from(line: &RoleLine) -> Self {
        let RoleLine {
            name,
            description,
            tenant,
            built_in,
        } = line.clone();
        Self {
            name,
            description,
            tenant,
            built_in,
        }
    }
}

impl fmt::Display for RuleLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p, {}", self.to_policy().join(", "))
    }
}

impl fmt::Display for BindingLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "g, {}", self.to_policy().join(", "))
    }
}

/// The role behind `role:NAME`.
pub(crate) fn role_of(subject: &str) -> Option<&str> {
    subject.strip_prefix("role:")
}

/// Whether what is said for `stated` holds in `tenant`.
pub(crate) fn holds_in(stated: &str, tenant: &str) -> bool {
    stated == EVERYWHERE || stated == tenant
}

/// What a role may be called.
pub(crate) fn role_name(name: &str) -> Result<()> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if name.is_empty() || name.len() > 64 || !name.bytes().all(fits) {
        return Err(Error::Invalid(format!(
            "found role name {name:?}, expected 1 to 64 of a-z, 0-9, `-`, `_` and `.`"
        )));
    }
    Ok(())
}

/// What a tenant may be called.
pub(crate) fn tenant_name(tenant: &str) -> Result<()> {
    text("tenant", tenant)
}

/// `kind:id`.
pub(crate) fn subject(found: &str, kinds: &[&str]) -> Result<()> {
    text("subject", found)?;
    match found.split_once(':') {
        Some((kind, id)) if kinds.contains(&kind) && !id.is_empty() && !id.contains('*') => Ok(()),
        _ => Err(Error::Invalid(format!(
            "found {found:?}, expected KIND:ID with one of these kinds: {}",
            kinds.join(", ")
        ))),
    }
}

/// Policy lines are shown to people and separated by commas.
fn text(field: &str, found: &str) -> Result<()> {
    let odd = |c: char| c.is_control() || c.is_whitespace() || c == ',';
    if found.is_empty() || found.len() > LONGEST || found.contains(odd) {
        return Err(Error::Invalid(format!(
            "found {field} {found:?}, expected 1 to {LONGEST} bytes without blanks and commas"
        )));
    }
    Ok(())
}

fn or(found: String, otherwise: &str) -> String {
    if found.is_empty() { otherwise.to_owned() } else { found }
}
