//! `ApiKeys`: keys of the caller, and for administrators those of others in their tenant.

use tonic::{Request, Response, Status};
use wharf_proto::auth::v1::api_keys_server::ApiKeys;
use wharf_proto::auth::v1::{
    ApiKey, CreateApiKeyForRequest, CreateApiKeyRequest, CreateApiKeyResponse, ListApiKeysRequest, ListApiKeysResponse,
    ListMyApiKeysRequest, RevokeApiKeyRequest, RevokeApiKeyResponse,
};
use wharf_sdk::{PrincipalKind, tonic};

use super::caller::{Caller, Page, account_of};
use crate::Auth;
use crate::api_keys::{NewKey, Whose};
use crate::failure::Failure;
use crate::revocations::timestamp;
use crate::scopes::covers;
use crate::tables::api_key;

#[tonic::async_trait]
impl ApiKeys for Auth {
    async fn create(&self, request: Request<CreateApiKeyRequest>) -> Result<Response<CreateApiKeyResponse>, Status> {
        let caller = Caller::account()?;
        let new = new_key(request.into_inner());
        caller.may_pass_on(&new)?;
        self.create_key(&caller.id, None, new).await
    }

    async fn list_mine(&self, request: Request<ListMyApiKeysRequest>) -> Result<Response<ListApiKeysResponse>, Status> {
        let (caller, asked) = (Caller::account()?, request.into_inner());
        let page = Page::read(asked.page_size, asked.page_token)?;
        answer(self.inner.list_api_keys(&mine(&caller), &page).await?)
    }

    async fn revoke_mine(&self, request: Request<RevokeApiKeyRequest>) -> Result<Response<RevokeApiKeyResponse>, Status> {
        let caller = Caller::account()?;
        self.inner.revoke_api_key(&mine(&caller), &request.into_inner().id).await?;
        Ok(Response::new(RevokeApiKeyResponse {}))
    }

    async fn create_for(&self, request: Request<CreateApiKeyForRequest>) -> Result<Response<CreateApiKeyResponse>, Status> {
        let caller = Caller::known()?;
        let asked = request.into_inner();
        let new = new_key(asked.key.unwrap_or_default());
        caller.may_pass_on(&new)?;
        self.create_key(&asked.account, caller.tenant(), new).await
    }

    async fn list(&self, request: Request<ListApiKeysRequest>) -> Result<Response<ListApiKeysResponse>, Status> {
        let caller = Caller::known()?;
        let asked = request.into_inner();
        let whose = Whose {
            tenant: caller.tenant(),
            account: account_of(&asked.subject)?,
        };
        let page = Page::read(asked.page_size, asked.page_token)?;
        answer(self.inner.list_api_keys(&whose, &page).await?)
    }

    async fn revoke(&self, request: Request<RevokeApiKeyRequest>) -> Result<Response<RevokeApiKeyResponse>, Status> {
        let whose = Whose {
            tenant: Caller::known()?.tenant(),
            account: None,
        };
        self.inner.revoke_api_key(&whose, &request.into_inner().id).await?;
        Ok(Response::new(RevokeApiKeyResponse {}))
    }
}

impl Auth {
    async fn create_key(&self, account: &str, tenant: Option<String>, new: NewKey) -> Result<Response<CreateApiKeyResponse>, Status> {
        let found = self.inner.directory.active(account).await?;
        let account = found
            .filter(|account| tenant.is_none_or(|tenant| tenant == account.tenant))
            .ok_or(Failure::Missing("there is no such account that is active"))?;
        let (key, row) = self.inner.make_api_key(&account, new).await?;
        Ok(Response::new(CreateApiKeyResponse {
            key: key.reveal().to_owned(),
            about: Some(told(row)?),
        }))
    }
}

impl Caller {
    /// Somebody who is restricted makes no key that may more, and no key at all for ever with a key.
    fn may_pass_on(&self, new: &NewKey) -> Result<(), Failure> {
        let Some(most) = &self.scopes else { return Ok(()) };
        let within = |scope: &String| most.iter().any(|glob| covers(glob, scope));
        if new.scopes.is_empty() || !new.scopes.iter().all(within) {
            return Err(Failure::Forbidden(
                "found scopes that go beyond those of the caller, expected some within them",
            ));
        }
        Ok(())
    }
}

fn new_key(asked: CreateApiKeyRequest) -> NewKey {
    NewKey {
        name: asked.name,
        scopes: asked.scopes,
        lifetime_seconds: asked.lifetime_seconds,
    }
}

fn mine(caller: &Caller) -> Whose {
    debug_assert!(matches!(caller.kind, PrincipalKind::User | PrincipalKind::Service));
    Whose {
        tenant: None,
        account: Some(caller.id.clone()),
    }
}

fn answer((rows, next_page_token): (Vec<api_key::Model>, String)) -> Result<Response<ListApiKeysResponse>, Status> {
    let keys = rows.into_iter().map(told).collect::<Result<_, _>>()?;
    Ok(Response::new(ListApiKeysResponse { keys, next_page_token }))
}

fn told(row: api_key::Model) -> Result<ApiKey, Failure> {
    Ok(ApiKey {
        subject: format!("{}:{}", row.kind, row.account),
        id: row.id,
        name: row.name,
        tenant: row.tenant,
        scopes: serde_json::from_str(&row.scopes).map_err(Failure::internal)?,
        hint: row.hint,
        created: Some(timestamp(row.created_at)),
        expires: row.expires_at.map(timestamp),
        revoked: row.revoked_at.map(timestamp),
        used: row.used_at.map(timestamp),
    })
}
