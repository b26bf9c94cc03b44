//! `Permissions` and `Decisions`: what may be granted, who may what, and why.

use wharf_proto::authz::v1::{self, decisions_server::Decisions, permissions_server::Permissions};
use wharf_sdk::tonic::{self, Request, Response, Status};

use crate::Authz;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::line::subject;
use crate::policy::{Question, Verdict, Where};
use crate::rulebook::State;

/// Needed to ask for others, in the tenant that is asked about.
const ASK: &str = "authz.decision.read";

#[tonic::async_trait]
impl Permissions for Authz {
    async fn list(&self, _: Request<v1::ListPermissionsRequest>) -> Result<Response<v1::ListPermissionsResponse>, Status> {
        let permissions = self.book.store.declared().await?;
        Ok(Response::new(v1::ListPermissionsResponse { permissions }))
    }
}

#[tonic::async_trait]
impl Decisions for Authz {
    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::CheckResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.tenant(&asked.tenant);
        let state = self.book.read().await;
        let question = Question {
            subject: &asked.subject,
            tenant,
            permission: &asked.permission,
            resource: &asked.resource,
            owner: &asked.owner,
        };
        let allowed = may(&state, &caller, &question)?;
        Ok(Response::new(v1::CheckResponse { allowed }))
    }

    async fn why(&self, request: Request<v1::WhyRequest>) -> Result<Response<v1::WhyResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.tenant(&asked.tenant);
        let state = self.book.read().await;
        let question = Question {
            subject: &asked.subject,
            tenant,
            permission: &asked.permission,
            resource: &asked.resource,
            owner: &asked.owner,
        };
        let allowed = may(&state, &caller, &question)?;
        let verdict = state.policy.decide(&question);
        Ok(Response::new(v1::WhyResponse {
            allowed,
            because: because(&state, &question, verdict.as_ref()),
            rule: verdict.as_ref().map(|verdict| (&verdict.rule).into()),
            path: verdict.iter().flat_map(|verdict| &verdict.path).map(Into::into).collect(),
            tenant: tenant.to_owned(),
            epoch: state.policy.epoch,
        }))
    }
}

fn may(state: &State, caller: &Caller, asked: &Question<'_>) -> Result<bool> {
    subject(asked.subject, &["user", "service", "module", "role", "group"])?;
    if asked.permission.is_empty() || asked.permission.contains('*') {
        return Err(Error::Invalid(format!(
            "found permission {:?}, expected the name of one, such as blog.post.write",
            asked.permission
        )));
    }
    caller.needs(&state.policy, ASK, asked.tenant)?;
    state
        .model()?
        .enforce(asked.subject, asked.tenant, asked.permission, asked.resource, asked.owner)
}

fn because(state: &State, asked: &Question<'_>, verdict: Option<&Verdict>) -> String {
    match verdict {
        Some(Verdict { rule, .. }) if rule.deny => format!("a rule denies it to {}, and a deny goes before every allow", rule.subject),
        Some(Verdict { rule, path }) if path.is_empty() => format!("a rule allows it to {}", rule.subject),
        Some(Verdict { rule, .. }) => format!("a rule allows it to {}, which {} holds", rule.subject, asked.subject),
        None => {
            let held = state.policy.closure(asked.subject, Where::In(asked.tenant));
            let held: Vec<&str> = held.iter().skip(1).map(|(name, _)| name.as_str()).collect();
            let holding = if held.is_empty() { "no role".to_owned() } else { held.join(", ") };
            format!(
                "no rule allows {} {} in tenant {}, where it holds {holding}",
                asked.subject, asked.permission, asked.tenant
            )
        }
    }
}
