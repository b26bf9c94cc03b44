//! `Permissions` and `Decisions`: what may be granted, who may what, and why.

use wharf_proto::authz::v1::{self, decisions_server::Decisions, permissions_server::Permissions};
use wharf_proto::pages::size;
use wharf_sdk::tonic::{self, Request, Response, Status};

use super::{read_token, write_token};
use crate::Authz;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::line::{EVERYWHERE, subject};
use crate::policy::{Question, Verdict, Where};
use crate::rulebook::State;

/// Needed to ask for others, in the tenant that is asked about.
const ASK: &str = "authz.decision.read";

#[tonic::async_trait]
impl Permissions for Authz {
    async fn list(&self, request: Request<v1::ListPermissionsRequest>) -> Result<Response<v1::ListPermissionsResponse>, Status> {
        let asked = request.into_inner();
        let mut permissions = self.book.store.declared().await?;
        if let Some((name, module)) = read_token::<(String, String)>(&asked.page_token)? {
            permissions.retain(|found| (&found.name, &found.module) > (&name, &module));
        }
        let size = size(asked.page_size);
        let more = permissions.len() > size;
        permissions.truncate(size);
        let last = permissions.last().map(|last| (&last.name, &last.module));
        let next_page_token = write_token(last.as_ref(), more)?;
        Ok(Response::new(v1::ListPermissionsResponse {
            permissions,
            next_page_token,
        }))
    }
}

#[tonic::async_trait]
impl Decisions for Authz {
    async fn check(&self, request: Request<v1::CheckRequest>) -> Result<Response<v1::CheckResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.tenant(&asked.tenant);
        let reach = self.reach(&asked.permission).await?;
        let state = self.book.read().await;
        caller.needs(&state.policy, ASK, tenant)?;
        let question = Question {
            subject: &asked.subject,
            tenant: reach.tenant(tenant),
            permission: &asked.permission,
            resource: &asked.resource,
            owner: &asked.owner,
        };
        let allowed = may(&state, &question)?;
        Ok(Response::new(v1::CheckResponse { allowed }))
    }

    async fn why(&self, request: Request<v1::WhyRequest>) -> Result<Response<v1::WhyResponse>, Status> {
        let (caller, asked) = (Caller::current()?, request.into_inner());
        let tenant = caller.tenant(&asked.tenant);
        let reach = self.reach(&asked.permission).await?;
        let state = self.book.read().await;
        caller.needs(&state.policy, ASK, tenant)?;
        let question = Question {
            subject: &asked.subject,
            tenant: reach.tenant(tenant),
            permission: &asked.permission,
            resource: &asked.resource,
            owner: &asked.owner,
        };
        let allowed = may(&state, &question)?;
        let verdict = state.policy.decide(&question);
        Ok(Response::new(v1::WhyResponse {
            allowed,
            because: reach.because(&question, because(&state, &question, verdict.as_ref())),
            rule: verdict.as_ref().map(|verdict| (&verdict.rule).into()),
            path: verdict.iter().flat_map(|verdict| &verdict.path).map(Into::into).collect(),
            tenant: question.tenant.to_owned(),
            epoch: state.policy.epoch,
        }))
    }
}

/// How far a permission reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// What holds in the tenant counts.
    Tenant,
    /// Only what holds in all tenants counts.
    Installation,
}

impl Authz {
    async fn reach(&self, permission: &str) -> Result<Reach> {
        Ok(match self.book.store.reaches_everywhere(permission).await? {
            true => Reach::Installation,
            false => Reach::Tenant,
        })
    }
}

impl Reach {
    /// The tenant whose rules count beside those for all.
    fn tenant(self, asked: &str) -> &str {
        match self {
            Self::Tenant => asked,
            Self::Installation => EVERYWHERE,
        }
    }

    /// With the reason why rules of a tenant do not count.
    fn because(self, asked: &Question<'_>, because: String) -> String {
        match self {
            Self::Tenant => because,
            Self::Installation => format!(
                "{} reaches beyond a tenant, so only rules for all tenants (*) count: {because}",
                asked.permission
            ),
        }
    }
}

fn may(state: &State, asked: &Question<'_>) -> Result<bool> {
    subject(asked.subject, &["user", "service", "module", "role", "group"])?;
    if asked.permission.is_empty() || asked.permission.contains('*') {
        return Err(Error::Invalid(format!(
            "found permission {:?}, expected the name of one, such as blog.post.write",
            asked.permission
        )));
    }
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
