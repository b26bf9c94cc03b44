//! `Roles`: roles and their rules.

use std::collections::BTreeSet;

use wharf_proto::authz::matches;
use wharf_proto::authz::v1::{self, roles_server::Roles};
use wharf_proto::pages::size;
use wharf_sdk::tonic::{self, Request, Response, Status};

use super::{read_token, write_token};
use crate::Authz;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::limits::{READ, WRITE};
use crate::line::{Change, EVERYWHERE, RoleLine, RuleLine, holds_in, role_name, role_of, tenant_name};
use crate::policy::{Policy, page};
use crate::rulebook::State;

/// Longest description, in bytes.
const LONGEST: usize = 1_000;

#[tonic::async_trait]
impl Roles for Authz {
    async fn create(&self, request: Request<v1::CreateRoleRequest>) -> Result<Response<v1::Role>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let role = RoleLine {
            tenant: caller.tenant(&asked.tenant).to_owned(),
            name: asked.name,
            description: asked.description,
            built_in: false,
        };
        self.change("authz.role.create", |state| plan_create(state, &caller, &role)).await?;
        Ok(Response::new((&role).into()))
    }

    async fn get(&self, request: Request<v1::GetRoleRequest>) -> Result<Response<v1::GetRoleResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.view(&asked.tenant);
        let state = self.book.read().await;
        caller.needs(&state.policy, READ, tenant)?;
        let role = state.policy.roles.get(&asked.name).filter(|role| is_seen(&role.tenant, tenant));
        let role = role.ok_or_else(|| unknown(&asked.name))?;
        let subject = format!("role:{}", asked.name);
        let rules = state.policy.rules_of(&subject).filter(|rule| is_seen(&rule.tenant, tenant));
        Ok(Response::new(v1::GetRoleResponse {
            role: Some(role.into()),
            rules: rules.map(Into::into).collect(),
        }))
    }

    async fn list(&self, request: Request<v1::ListRolesRequest>) -> Result<Response<v1::ListRolesResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.view(&asked.tenant);
        let state = self.book.read().await;
        caller.needs(&state.policy, READ, tenant)?;
        let names: BTreeSet<String> = state.policy.roles.keys().cloned().collect();
        let role = |name: &String| state.policy.roles.get(name);
        let wanted = |name: &String| role(name).is_some_and(|role| is_seen(&role.tenant, tenant));
        let (names, more) = page(&names, read_token(&asked.page_token)?, size(asked.page_size), wanted);
        Ok(Response::new(v1::ListRolesResponse {
            next_page_token: write_token(names.last(), more)?,
            roles: names.iter().filter_map(role).map(Into::into).collect(),
        }))
    }

    async fn delete(&self, request: Request<v1::DeleteRoleRequest>) -> Result<Response<v1::DeleteRoleResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let epoch = self
            .change("authz.role.delete", |state| plan_delete(state, &caller, &asked.name))
            .await?;
        Ok(Response::new(v1::DeleteRoleResponse { epoch }))
    }

    async fn add_rule(&self, request: Request<v1::AddRuleRequest>) -> Result<Response<v1::AddRuleResponse>, Status> {
        let caller = Caller::current()?;
        let line = RuleLine::read(request.into_inner().rule, caller.home())?;
        self.has_effect(&line).await?;
        let epoch = self.change("authz.rule.add", |state| plan_add(state, &caller, &line)).await?;
        Ok(Response::new(v1::AddRuleResponse {
            rule: Some((&line).into()),
            epoch,
            warnings: self.warnings(&line).await?,
        }))
    }

    async fn remove_rule(&self, request: Request<v1::RemoveRuleRequest>) -> Result<Response<v1::RemoveRuleResponse>, Status> {
        let caller = Caller::current()?;
        let line = RuleLine::read(request.into_inner().rule, caller.home())?;
        let epoch = self.change("authz.rule.remove", |state| plan_remove(state, &caller, &line)).await?;
        Ok(Response::new(v1::RemoveRuleResponse { epoch }))
    }

    async fn list_rules(&self, request: Request<v1::ListRulesRequest>) -> Result<Response<v1::ListRulesResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.view(&asked.tenant);
        let state = self.book.read().await;
        caller.needs(&state.policy, READ, tenant)?;
        let wanted = |line: &RuleLine| is_seen(&line.tenant, tenant) && (asked.subject.is_empty() || line.subject == asked.subject);
        let (lines, more) = page(&state.policy.rules, read_token(&asked.page_token)?, size(asked.page_size), wanted);
        Ok(Response::new(v1::ListRulesResponse {
            next_page_token: write_token(lines.last(), more)?,
            rules: lines.iter().map(Into::into).collect(),
        }))
    }
}

impl Authz {
    /// Refuses a rule that nobody would ever go by: one for a tenant, of a permission that reaches beyond it.
    async fn has_effect(&self, line: &RuleLine) -> Result<()> {
        if line.tenant == EVERYWHERE || !self.book.store.reaches_everywhere(&line.permission).await? {
            return Ok(());
        }
        Err(Error::Invalid(format!(
            "found a rule for tenant {} of {}, which reaches beyond a tenant; expected one for all tenants (*)",
            line.tenant, line.permission
        )))
    }

    /// What looks like a mistake.
    async fn warnings(&self, line: &RuleLine) -> Result<Vec<String>> {
        let declared = self.book.store.declared().await?;
        if declared.iter().any(|permission| matches(&line.permission, &permission.name)) {
            return Ok(Vec::new());
        }
        Ok(vec![format!(
            "no module declares a permission {}; `wharf authz permissions` lists those there are",
            line.permission
        )])
    }
}

/// Whether it is shown to whoever looks at a tenant. Who looks at all sees all.
fn is_seen(stated: &str, tenant: &str) -> bool {
    tenant == EVERYWHERE || holds_in(stated, tenant)
}

fn unknown(name: &str) -> Error {
    Error::NotFound(format!(
        "found role {name:?}, which there is not; `wharf authz roles` lists those there are"
    ))
}

/// Refuses a role that nobody made. Other subjects are known elsewhere.
pub(super) fn known(policy: &Policy, subject: &str) -> Result<()> {
    match role_of(subject) {
        Some(name) if !policy.roles.contains_key(name) => Err(unknown(name)),
        _ => Ok(()),
    }
}

fn plan_create(state: &State, caller: &Caller, role: &RoleLine) -> Result<Change> {
    role_name(&role.name)?;
    tenant_name(&role.tenant)?;
    if role.description.len() > LONGEST || role.description.contains(char::is_control) {
        return Err(Error::Invalid(format!(
            "found a description of {} bytes, expected at most {LONGEST} without control characters",
            role.description.len()
        )));
    }
    caller.needs(&state.policy, WRITE, &role.tenant)?;
    if state.policy.roles.contains_key(&role.name) {
        return Err(Error::Exists(format!("there is a role {} already", role.name)));
    }
    Ok(Change {
        roles_added: vec![role.clone()],
        ..Change::default()
    })
}

fn plan_delete(state: &State, caller: &Caller, name: &str) -> Result<Change> {
    let policy = &state.policy;
    let role = policy.roles.get(name).ok_or_else(|| unknown(name))?;
    let subject = format!("role:{name}");
    let rules: Vec<RuleLine> = policy.rules_of(&subject).cloned().collect();
    let bindings = policy.bindings.iter().filter(|line| line.member == subject || line.role == subject);
    let bindings: Vec<_> = bindings.cloned().collect();
    let mut tenants = rules
        .iter()
        .map(|rule| &rule.tenant)
        .chain(bindings.iter().map(|line| &line.tenant));
    let tenant = if tenants.all(|tenant| *tenant == role.tenant) {
        &role.tenant
    } else {
        EVERYWHERE
    };
    caller.needs(policy, WRITE, tenant)?;
    if role.built_in {
        return Err(Error::Conflict(format!("role {name} comes with the host and stays")));
    }
    for rule in &rules {
        caller.may_remove(policy, rule)?;
    }
    for binding in &bindings {
        caller.may_revoke(policy, binding)?;
    }
    Ok(Change {
        rules_removed: rules,
        bindings_removed: bindings,
        roles_removed: vec![name.to_owned()],
        ..Change::default()
    })
}

fn plan_add(state: &State, caller: &Caller, line: &RuleLine) -> Result<Change> {
    known(&state.policy, &line.subject)?;
    caller.may_add(&state.policy, line)?;
    if state.policy.rules.contains(line) {
        return Ok(Change::default());
    }
    Ok(Change {
        rules_added: vec![line.clone()],
        ..Change::default()
    })
}

fn plan_remove(state: &State, caller: &Caller, line: &RuleLine) -> Result<Change> {
    caller.may_remove(&state.policy, line)?;
    if !state.policy.rules.contains(line) {
        return Err(Error::NotFound(format!("there is no rule {line}")));
    }
    if line.to_policy() == ["role:admin", EVERYWHERE, "*", "*", "allow"] {
        return Err(Error::Conflict("this is what makes administrators, and it stays".to_owned()));
    }
    Ok(Change {
        rules_removed: vec![line.clone()],
        ..Change::default()
    })
}
