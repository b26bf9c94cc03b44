//! `Sessions`: those of the caller, and for administrators those of others in their tenant.

use sea_orm::TransactionTrait;
use tonic::{Request, Response, Status};
use wharf_proto::auth::v1::sessions_server::Sessions;
use wharf_proto::auth::v1::{
    ListMySessionsRequest, ListSessionsRequest, ListSessionsResponse, LogOutEverywhereRequest, RevokeMySessionRequest,
    RevokeSessionRequest, RevokeSessionsResponse, Session, WhoAmIRequest, WhoAmIResponse,
};
use wharf_sdk::{Principal, PrincipalKind, tonic};

use super::caller::{Caller, Page, account_of};
use crate::Auth;
use crate::failure::Failure;
use crate::revocations::{Revoked, timestamp};
use crate::sessions::Which;
use crate::tables::session;

#[tonic::async_trait]
impl Sessions for Auth {
    async fn who_am_i(&self, _: Request<WhoAmIRequest>) -> Result<Response<WhoAmIResponse>, Status> {
        let who = Principal::current().ok_or(Failure::Forbidden("this needs a caller who is signed in"))?;
        Ok(Response::new(WhoAmIResponse {
            subject: who.subject().to_owned(),
            tenant: who.tenant,
            name: who.name,
            session: who.session.unwrap_or_default(),
            client: who.client.unwrap_or_default(),
            scopes: who.scopes.unwrap_or_default(),
        }))
    }

    async fn list_mine(&self, request: Request<ListMySessionsRequest>) -> Result<Response<ListSessionsResponse>, Status> {
        let (caller, asked) = (Caller::account()?, request.into_inner());
        let page = Page::read(asked.page_size, asked.page_token)?;
        let rows = self.inner.list_sessions(&Which::of_account(&caller.id), &page).await?;
        Ok(answer(rows, &caller))
    }

    async fn revoke_mine(&self, request: Request<RevokeMySessionRequest>) -> Result<Response<RevokeSessionsResponse>, Status> {
        let which = Which {
            id: Some(request.into_inner().id),
            ..Which::of_account(&Caller::account()?.id)
        };
        self.end_one(&which).await
    }

    async fn log_out_everywhere(&self, request: Request<LogOutEverywhereRequest>) -> Result<Response<RevokeSessionsResponse>, Status> {
        let caller = Caller::account()?;
        let which = Which {
            except: caller.session.clone().filter(|_| request.into_inner().keep_current),
            ..Which::of_account(&caller.id)
        };
        let revoked = self
            .end_all(&which, (caller.kind == PrincipalKind::Service).then(|| caller.id.clone()))
            .await?;
        Ok(Response::new(RevokeSessionsResponse { revoked }))
    }

    async fn list(&self, request: Request<ListSessionsRequest>) -> Result<Response<ListSessionsResponse>, Status> {
        let caller = Caller::known()?;
        let asked = request.into_inner();
        let which = Which {
            tenant: caller.tenant(),
            account: account_of(&asked.subject)?,
            ..Which::default()
        };
        let page = Page::read(asked.page_size, asked.page_token)?;
        let rows = self.inner.list_sessions(&which, &page).await?;
        Ok(answer(rows, &caller))
    }

    async fn revoke(&self, request: Request<RevokeSessionRequest>) -> Result<Response<RevokeSessionsResponse>, Status> {
        let caller = Caller::known()?;
        let asked = request.into_inner();
        let tenant = caller.tenant();
        match (asked.id.is_empty(), account_of(&asked.subject)?) {
            (false, None) => {
                let which = Which {
                    tenant,
                    ..Which::one(&asked.id)
                };
                self.end_one(&which).await
            }
            (true, Some(account)) => {
                let which = Which {
                    tenant: tenant.clone(),
                    ..Which::of_account(&account)
                };
                let service = match asked.subject.starts_with("service:") {
                    true => self.in_tenant(&account, tenant.as_deref()).await?.then_some(account),
                    false => None,
                };
                let revoked = self.end_all(&which, service).await?;
                Ok(Response::new(RevokeSessionsResponse { revoked }))
            }
            _ => Err(Failure::Invalid("expected either an id or a subject".to_owned()).into()),
        }
    }
}

impl Auth {
    async fn end_one(&self, which: &Which) -> Result<Response<RevokeSessionsResponse>, Status> {
        match self.inner.end_sessions(which).await? {
            0 => Err(Failure::Missing("there is no such session").into()),
            revoked => Ok(Response::new(RevokeSessionsResponse { revoked })),
        }
    }

    /// All sessions, and for a service account the tokens it has without one.
    async fn end_all(&self, which: &Which, service: Option<String>) -> Result<u32, Failure> {
        let tx = self.inner.db.begin().await?;
        let revoked = self.inner.end_sessions_in(&tx, which).await?;
        self.inner
            .revoke(&tx, service.map(|id| Revoked::subject_now(format!("service:{id}"))))
            .await?;
        tx.commit().await?;
        self.inner.look().await?;
        Ok(revoked)
    }

    async fn in_tenant(&self, account: &str, tenant: Option<&str>) -> Result<bool, Failure> {
        let Some(tenant) = tenant else { return Ok(true) };
        let found = self.inner.directory.active(account).await?;
        Ok(found.is_some_and(|found| found.tenant == tenant))
    }
}

fn answer((rows, next_page_token): (Vec<session::Model>, String), caller: &Caller) -> Response<ListSessionsResponse> {
    let told = |row: session::Model| Session {
        current: caller.session.as_deref() == Some(row.id.as_str()),
        subject: format!("{}:{}", row.kind, row.account),
        id: row.id,
        tenant: row.tenant,
        name: row.name,
        client_id: row.client,
        created: Some(timestamp(row.created_at)),
        used: Some(timestamp(row.used_at)),
        expires: Some(timestamp(row.expires_at)),
        address: row.address,
        user_agent: row.user_agent,
    };
    Response::new(ListSessionsResponse {
        sessions: rows.into_iter().map(told).collect(),
        next_page_token,
    })
}
