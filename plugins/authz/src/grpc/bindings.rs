//! `Bindings`: who holds what.

use wharf_proto::authz::v1::{self, bindings_server::Bindings};
use wharf_proto::pages::size;
use wharf_sdk::tonic::{self, Request, Response, Status};

use super::{read_token, write_token};
use crate::Authz;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::limits::READ;
use crate::line::{BindingLine, Change, EVERYWHERE, role_of};
use crate::model::DEEPEST;
use crate::policy::page;
use crate::rulebook::State;

/// Somebody must hold this in all tenants, or nobody could mend anything.
const ADMIN: &str = "role:admin";

#[tonic::async_trait]
impl Bindings for Authz {
    async fn grant(&self, request: Request<v1::GrantRequest>) -> Result<Response<v1::GrantResponse>, Status> {
        let caller = Caller::current()?;
        let line = BindingLine::read(request.into_inner().binding, caller.home())?;
        let epoch = self.change("authz.role.grant", |state| plan_grant(state, &caller, &line)).await?;
        let binding = Some((&line).into());
        Ok(Response::new(v1::GrantResponse { binding, epoch }))
    }

    async fn revoke(&self, request: Request<v1::RevokeRequest>) -> Result<Response<v1::RevokeResponse>, Status> {
        let caller = Caller::current()?;
        let line = BindingLine::read(request.into_inner().binding, caller.home())?;
        let epoch = self.change("authz.role.revoke", |state| plan_revoke(state, &caller, &line)).await?;
        Ok(Response::new(v1::RevokeResponse { epoch }))
    }

    async fn list(&self, request: Request<v1::ListBindingsRequest>) -> Result<Response<v1::ListBindingsResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.view(&asked.tenant);
        let state = self.book.read().await;
        caller.needs(&state.policy, READ, tenant)?;
        let all = asked.tenant.is_empty() && tenant == EVERYWHERE;
        let wanted = |line: &BindingLine| {
            (all || line.tenant == tenant)
                && (asked.member.is_empty() || line.member == asked.member)
                && (asked.role.is_empty() || line.role == asked.role)
        };
        let (lines, more) = page(
            &state.policy.bindings,
            read_token(&asked.page_token)?,
            size(asked.page_size),
            wanted,
        );
        Ok(Response::new(v1::ListBindingsResponse {
            next_page_token: write_token(lines.last(), more)?,
            bindings: lines.iter().map(Into::into).collect(),
        }))
    }
}

fn plan_grant(state: &State, caller: &Caller, line: &BindingLine) -> Result<Change> {
    let policy = &state.policy;
    for subject in [&line.member, &line.role] {
        super::roles::known(policy, subject)?;
    }
    caller.may_grant(policy, line)?;
    if policy.bindings.contains(line) {
        return Ok(Change::default());
    }
    let model = state.model()?;
    let mut tenants: Vec<&str> = vec![&line.tenant];
    if line.tenant == EVERYWHERE {
        tenants.extend(policy.bindings.iter().map(|binding| binding.tenant.as_str()));
        tenants.sort_unstable();
        tenants.dedup();
    }
    if let Some(tenant) = tenants.into_iter().find(|tenant| model.holds(&line.role, &line.member, tenant)) {
        return Err(Error::Conflict(format!(
            "{} holds {} in tenant {tenant} already, so this would close a circle",
            line.role, line.member
        )));
    }
    if policy.depth_with(line) > DEEPEST {
        return Err(Error::Conflict(format!(
            "this would make a chain of more than {DEEPEST} bindings; grant a role further down"
        )));
    }
    Ok(Change {
        bindings_added: vec![line.clone()],
        ..Change::default()
    })
}

fn plan_revoke(state: &State, caller: &Caller, line: &BindingLine) -> Result<Change> {
    let policy = &state.policy;
    caller.may_revoke(policy, line)?;
    if !policy.bindings.contains(line) {
        return Err(Error::NotFound(format!(
            "{} does not hold {} in tenant {} by a binding of its own",
            line.member, line.role, line.tenant
        )));
    }
    let is_admin = |line: &BindingLine| line.role == ADMIN && line.tenant == EVERYWHERE;
    if is_admin(line) && policy.bindings.iter().filter(|line| is_admin(line)).count() == 1 {
        return Err(Error::Conflict(format!(
            "{} is the last administrator of all tenants; grant {} to somebody else first",
            line.member,
            role_of(ADMIN).unwrap_or_default()
        )));
    }
    Ok(Change {
        bindings_removed: vec![line.clone()],
        ..Change::default()
    })
}
