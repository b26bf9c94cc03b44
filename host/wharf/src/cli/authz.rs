//! `wharf authz`: roles, rules, who holds what, and why somebody may or may not.

mod args;
mod lists;
mod who;

use serde_json::json;

pub(crate) use args::{AuthzCommand, RoleCommand, RuleArgs};

use self::lists::{Binding, DeclaredPermission, Done, Role, RoleWithRules, Rule, Why};
use super::client::AdminClient;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::pages::all;

const ROLES: &str = "wharf.authz.v1.Roles";
const BINDINGS: &str = "wharf.authz.v1.Bindings";
const DECISIONS: &str = "wharf.authz.v1.Decisions";
const PERMISSIONS: &str = "wharf.authz.v1.Permissions";

pub(super) async fn run(context: &Context, command: &AuthzCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        AuthzCommand::Roles { tenant } => {
            let roles: Vec<_> = all::<Role>(&client, ROLES, "List", json!({ "tenant": tenant }), "roles", u32::MAX).await?;
            context.emit(&roles, |roles| lists::roles(roles));
        }
        AuthzCommand::Role { command } => role(context, &client, command).await?,
        AuthzCommand::Grant { user, role, tenant } => {
            let done = bind(&client, "Grant", user, role, tenant.as_deref()).await?;
            context.emit(&done, |done| {
                format!("{} holds {} in {}", done.subject, done.role, place(&done.tenant))
            });
        }
        AuthzCommand::Revoke { user, role, tenant } => {
            let done = bind(&client, "Revoke", user, role, tenant.as_deref()).await?;
            let told = |done: &Done| format!("{} holds {} no more in {}", done.subject, done.role, place(&done.tenant));
            context.emit(&done, told);
        }
        AuthzCommand::Bindings { user, role, tenant } => {
            let member = match user {
                Some(user) => who::find(&client, user, tenant.as_deref()).await?.subject,
                None => String::new(),
            };
            let role = role.as_deref().map(who::role).unwrap_or_default();
            let asked = json!({ "tenant": tenant, "member": member, "role": role });
            let bindings: Vec<_> = all::<Binding>(&client, BINDINGS, "List", asked, "bindings", u32::MAX).await?;
            context.emit(&bindings, |bindings| lists::bindings(bindings));
        }
        AuthzCommand::Rules { role, tenant } => {
            let subject = role.as_deref().map(who::role).unwrap_or_default();
            let asked = json!({ "tenant": tenant, "subject": subject });
            let rules: Vec<_> = all::<Rule>(&client, ROLES, "ListRules", asked, "rules", u32::MAX).await?;
            context.emit(&rules, |rules| lists::rules(rules));
        }
        AuthzCommand::Permissions => {
            let found: Vec<_> = all::<DeclaredPermission>(&client, PERMISSIONS, "List", json!({}), "permissions", u32::MAX).await?;
            context.emit(&found, |permissions| lists::permissions(permissions));
        }
        AuthzCommand::Why {
            user,
            permission,
            resource,
            owner,
            tenant,
        } => return why(context, &client, user, permission, resource, owner.as_deref(), tenant.as_deref()).await,
    }
    Ok(Exit::Ok)
}

async fn role(context: &Context, client: &AdminClient, command: &RoleCommand) -> Result<(), Failure> {
    match command {
        RoleCommand::Create { name, description, tenant } => {
            let asked = json!({ "name": name, "description": description, "tenant": tenant });
            let role: lists::Role = client.rpc(ROLES, "Create", &asked).await?;
            context.emit(&role, |role| {
                format!("role {} is there, in {}, and allows nothing yet", role.name, place(&role.tenant))
            });
        }
        RoleCommand::Show { name, tenant } => {
            let role: RoleWithRules = client.rpc(ROLES, "Get", &json!({ "name": name, "tenant": tenant })).await?;
            context.emit(&role, lists::role);
        }
        RoleCommand::Delete { name } => {
            let done: Done = client.rpc(ROLES, "Delete", &json!({ "name": name })).await?;
            context.emit(&done, |_| format!("role {name} is gone, with its rules and bindings"));
        }
        RoleCommand::Allow(rule) => add(context, client, rule, false).await?,
        RoleCommand::Deny(rule) => add(context, client, rule, true).await?,
        RoleCommand::Forget { rule, deny } => {
            let done: Done = client.rpc(ROLES, "RemoveRule", &message(rule, *deny)).await?;
            context.emit(&done, |_| "the rule is gone".to_owned());
        }
    }
    Ok(())
}

async fn add(context: &Context, client: &AdminClient, rule: &RuleArgs, deny: bool) -> Result<(), Failure> {
    let added: lists::Added = client.rpc(ROLES, "AddRule", &message(rule, deny)).await?;
    for warning in &added.warnings {
        context.note(warning);
    }
    context.emit(&added, |added| lists::rules(std::slice::from_ref(&added.rule)));
    Ok(())
}

fn message(rule: &RuleArgs, deny: bool) -> serde_json::Value {
    json!({ "rule": {
        "subject": who::role(&rule.role),
        "tenant": rule.tenant.as_deref().unwrap_or_default(),
        "permission": rule.permission,
        "resource": rule.resource,
        "deny": deny,
    } })
}

async fn bind(client: &AdminClient, method: &str, user: &str, role: &str, tenant: Option<&str>) -> Result<Done, Failure> {
    let found = who::find(client, user, tenant).await?;
    let tenant = found.tenant(tenant);
    let role = who::role(role);
    let asked = json!({ "binding": { "member": found.subject, "role": role, "tenant": tenant } });
    let done: Done = client.rpc(BINDINGS, method, &asked).await?;
    Ok(Done {
        subject: found.subject,
        role,
        tenant,
        ..done
    })
}

/// The exit code says it too: 0 they may, 3 they may not.
async fn why(
    context: &Context,
    client: &AdminClient,
    user: &str,
    permission: &str,
    resource: &str,
    owner: Option<&str>,
    tenant: Option<&str>,
) -> Result<Exit, Failure> {
    let found = who::find(client, user, tenant).await?;
    let owner = match owner {
        Some(owner) => who::find(client, owner, tenant).await?.subject,
        None => String::new(),
    };
    let asked = json!({
        "subject": found.subject,
        "tenant": found.tenant(tenant),
        "permission": permission,
        "resource": resource,
        "owner": owner,
    });
    let why: Why = client.rpc(DECISIONS, "Why", &asked).await?;
    context.emit(&why, |why| lists::why(&found.subject, permission, why));
    Ok(if why.allowed { Exit::Ok } else { Exit::Findings })
}

fn place(tenant: &str) -> String {
    match tenant {
        "*" => "all tenants".to_owned(),
        tenant => format!("tenant {tenant}"),
    }
}
