//! What the module authz answers, and how it is shown.

use serde::{Deserialize, Serialize};
use wharf_host::telemetry::clean;

use super::super::events::table;

macro_rules! message {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty),* $(,)? })*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, Default, Serialize, Deserialize)]
        #[serde(default, rename_all(deserialize = "camelCase"))]
        pub(super) struct $name { $(pub(super) $field: $type),* }
    )* };
}

message! {
    /// A role.
    Role { name: String, description: String, tenant: String, built_in: bool }
    /// A rule.
    Rule { subject: String, tenant: String, permission: String, resource: String, deny: bool }
    /// A binding.
    Binding { member: String, role: String, tenant: String }
    /// What a module declares.
    DeclaredPermission { name: String, description: String, module: String, installation: bool }
    /// A role and its rules.
    RoleWithRules { role: Role, rules: Vec<Rule> }
    /// A rule that was added.
    Added { rule: Rule, epoch: String, warnings: Vec<String> }
    /// A change, and the epoch in which it holds.
    Done { subject: String, role: String, tenant: String, epoch: String }
    /// Why they may or may not.
    Why { allowed: bool, because: String, rule: Option<Rule>, path: Vec<Binding>, tenant: String, epoch: String }
}

pub(super) fn roles(roles: &[Role]) -> String {
    let cells = roles
        .iter()
        .map(|role| vec![role.name.clone(), role.tenant.clone(), role.description.clone()]);
    table("no roles", roles.is_empty(), &["ROLE", "TENANT", "DESCRIPTION"], cells)
}

pub(super) fn rules(rules: &[Rule]) -> String {
    let cells = rules.iter().map(|rule| {
        vec![
            rule.subject.clone(),
            rule.tenant.clone(),
            effect(rule).to_owned(),
            rule.permission.clone(),
            rule.resource.clone(),
        ]
    });
    let header = ["SUBJECT", "TENANT", "EFFECT", "PERMISSION", "RESOURCE"];
    table("no rules", rules.is_empty(), &header, cells)
}

pub(super) fn role(role: &RoleWithRules) -> String {
    let of = &role.role;
    format!(
        "{} ({}): {}\n\n{}",
        clean(&of.name),
        clean(&of.tenant),
        clean(&of.description),
        rules(&role.rules)
    )
}

pub(super) fn bindings(bindings: &[Binding]) -> String {
    let cells = bindings
        .iter()
        .map(|line| vec![line.member.clone(), line.role.clone(), line.tenant.clone()]);
    table("no bindings", bindings.is_empty(), &["MEMBER", "HOLDS", "TENANT"], cells)
}

pub(super) fn permissions(permissions: &[DeclaredPermission]) -> String {
    let cells = permissions.iter().map(|permission| {
        let tenants = if permission.installation { "*" } else { "any" };
        vec![
            permission.name.clone(),
            permission.module.clone(),
            tenants.to_owned(),
            permission.description.clone(),
        ]
    });
    let header = ["PERMISSION", "MODULE", "TENANT", "DESCRIPTION"];
    table("no module declares a permission", permissions.is_empty(), &header, cells)
}

pub(super) fn why(subject: &str, permission: &str, why: &Why) -> String {
    let verdict = if why.allowed { "allowed" } else { "denied" };
    let mut lines = vec![
        format!(
            "{verdict}: {} {} in tenant {}",
            clean(subject),
            clean(permission),
            clean(&why.tenant)
        ),
        format!("because  {}", clean(&why.because)),
    ];
    if let Some(rule) = &why.rule {
        let Rule {
            subject,
            tenant,
            permission,
            resource,
            ..
        } = rule;
        let text = format!("{subject} in {tenant}: {} {permission} on {resource}", effect(rule));
        lines.push(format!("rule     {}", clean(&text)));
    }
    for line in &why.path {
        let text = format!("{} holds {} in {}", line.member, line.role, line.tenant);
        lines.push(format!("path     {}", clean(&text)));
    }
    lines.join("\n")
}

fn effect(rule: &Rule) -> &'static str {
    if rule.deny { "deny" } else { "allow" }
}
