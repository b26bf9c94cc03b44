//! A stand-in for the module `identity`, for tests of modules that ask it: a handful of accounts in memory.
//!
//! The users are `ada` and `bob` in tenant `default`, `eve`, who is suspended, and `zoe` in tenant `other`; the login is
//! `NAME@example.org` and the password `canary-password-of-NAME`. `robot` is a service account with the secret
//! `canary-secret-of-robot`. `locked@example.org` is always locked. People from other providers become accounts whose id is
//! `ext-` and their subject. `POST /identity/status` changes the status of an account and says so in an event;
//! `POST /identity/credentials` says that its password or secret is another one, which it is not, `POST /identity/delete` that it
//! is gone, and `POST /identity/membership` that somebody is in a group, or not any more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use sea_orm::TransactionTrait;
use serde::{Deserialize, Serialize};
use tonic::{Request, Response, Status};
use wharf_proto::identity::v1::credentials_server::{Credentials, CredentialsServer};
use wharf_proto::identity::v1::{
    Account, CheckClientSecretRequest, CheckPasswordRequest, CheckResponse, GetAccountRequest, Outcome, ResolveExternalRequest,
};
use wharf_sdk::services::database::Db;
use wharf_sdk::services::events::Events;
use wharf_sdk::{Context, Error, Event, Grpc, Handlers, Module, NoConfig, Problem, Result, Routes, export_module, post};

export_module!(IdentityStub);

/// The module.
pub struct IdentityStub {
    accounts: Mutex<BTreeMap<String, Account>>,
    db: Db,
    events: Events,
}

/// What the real module says of an account that changed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountChanged {
    /// Id of the account.
    pub id: String,
    /// `user` or `service`.
    pub kind: String,
    /// Its tenant.
    pub tenant: String,
    /// Its status from now on.
    pub status: String,
    /// It is gone.
    pub deleted: bool,
    /// Its password or secret is another one now.
    pub credentials_changed: bool,
    /// When that was, in milliseconds since 1970.
    pub credentials_changed_at: i64,
    /// Session in which its owner changed it.
    pub session: Option<String>,
}

impl Event for AccountChanged {
    const TYPE: &'static str = "identity.account.changed.v1";
}

/// What the real module says of who is in a group.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MembershipChanged {
    /// Id of the group.
    pub group: String,
    /// `user:ID` or `service:ID`.
    pub member: String,
    /// Tenant of both.
    pub tenant: String,
    /// Whether it is in the group now.
    pub present: bool,
}

impl Event for MembershipChanged {
    const TYPE: &'static str = "identity.membership.changed.v1";
}

/// Which account gets which status.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewStatus {
    id: String,
    status: String,
    /// Somebody forgot to say so.
    #[serde(default)]
    quietly: bool,
}

/// Whose password or secret is another one now.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCredentials {
    id: String,
    /// Where it was changed.
    session: Option<String>,
}

/// Which account goes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Gone {
    id: String,
}

impl Module for IdentityStub {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        let all = [
            ("ada", "user", "default", "active"),
            ("bob", "user", "default", "active"),
            ("eve", "user", "default", "suspended"),
            ("zoe", "user", "other", "active"),
            ("robot", "service", "default", "active"),
        ];
        let accounts = all.map(|(name, kind, tenant, status)| (name.to_owned(), account(name, kind, tenant, status)));
        Ok(Self {
            accounts: Mutex::new(accounts.into()),
            db: ctx.db()?,
            events: ctx.events()?,
        })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/status", post(set_status))
            .public()
            .route("/credentials", post(change_credentials))
            .public()
            .route("/delete", post(delete))
            .public()
            .route("/membership", post(change_membership))
            .public()
    }

    fn grpc(self: &Arc<Self>) -> Grpc {
        Grpc::new().serve(CredentialsServer::from_arc(Arc::clone(self)))
    }

    fn events() -> Handlers<Self> {
        Handlers::new().publishes::<AccountChanged>().publishes::<MembershipChanged>()
    }
}

async fn set_status(State(module): State<Arc<IdentityStub>>, Json(new): Json<NewStatus>) -> Result<StatusCode> {
    let changed = {
        let mut accounts = module.accounts();
        let account = accounts
            .get_mut(&new.id)
            .ok_or_else(|| Problem::not_found("there is no such account"))?;
        account.status.clone_from(&new.status);
        changed(account)
    };
    if !new.quietly {
        let tx = module.db.begin().await?;
        module.events.publish(&tx, &changed).await?;
        tx.commit().await?;
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn change_credentials(State(module): State<Arc<IdentityStub>>, Json(new): Json<NewCredentials>) -> Result<StatusCode> {
    let changed = {
        let accounts = module.accounts();
        let account = accounts
            .get(&new.id)
            .ok_or_else(|| Problem::not_found("there is no such account"))?;
        AccountChanged {
            credentials_changed: true,
            credentials_changed_at: now_ms(),
            session: new.session,
            ..changed(account)
        }
    };
    let tx = module.db.begin().await?;
    module.events.publish(&tx, &changed).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn delete(State(module): State<Arc<IdentityStub>>, Json(gone): Json<Gone>) -> Result<StatusCode> {
    let account = module.accounts().remove(&gone.id);
    let account = account.ok_or_else(|| Problem::not_found("there is no such account"))?;
    let changed = AccountChanged {
        deleted: true,
        ..changed(&account)
    };
    let tx = module.db.begin().await?;
    module.events.publish(&tx, &changed).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn change_membership(State(module): State<Arc<IdentityStub>>, Json(changed): Json<MembershipChanged>) -> Result<StatusCode> {
    let tx = module.db.begin().await?;
    module.events.publish(&tx, &changed).await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

#[tonic::async_trait]
impl Credentials for IdentityStub {
    async fn check_password(&self, request: Request<CheckPasswordRequest>) -> Result<Response<CheckResponse>, Status> {
        let asked = request.into_inner();
        let name = asked.login.trim_end_matches("@example.org");
        let tenant = if asked.tenant.is_empty() { "default" } else { &asked.tenant };
        if name == "locked" {
            return Ok(Response::new(CheckResponse {
                outcome: Outcome::Locked.into(),
                account: None,
                retry_after_seconds: 30,
            }));
        }
        let right = asked.password == format!("canary-password-of-{name}");
        let accounts = self.accounts();
        let found = accounts
            .get(name)
            .filter(|account| right && account.tenant == tenant && account.kind == "user");
        Ok(Response::new(outcome(found)))
    }

    async fn check_client_secret(&self, request: Request<CheckClientSecretRequest>) -> Result<Response<CheckResponse>, Status> {
        let asked = request.into_inner();
        let right = asked.client_secret == format!("canary-secret-of-{}", asked.client_id);
        let accounts = self.accounts();
        let found = accounts.get(&asked.client_id).filter(|account| right && account.kind == "service");
        Ok(Response::new(outcome(found)))
    }

    async fn resolve_external(&self, request: Request<ResolveExternalRequest>) -> Result<Response<CheckResponse>, Status> {
        let asked = request.into_inner();
        let mut accounts = self.accounts();
        let linked = accounts
            .values()
            .find(|account| asked.link_by_email && asked.email_verified && account.email == asked.email && account.tenant == asked.tenant);
        let id = linked.map_or_else(|| format!("ext-{}", asked.subject), |account| account.id.clone());
        let made = accounts.entry(id.clone()).or_insert_with(|| Account {
            name: asked.name,
            email: asked.email,
            email_verified: asked.email_verified,
            ..account(&id, "user", &asked.tenant, "active")
        });
        Ok(Response::new(outcome(Some(made))))
    }

    async fn get_account(&self, request: Request<GetAccountRequest>) -> Result<Response<Account>, Status> {
        let found = self.accounts().get(&request.into_inner().id).cloned();
        found
            .map(Response::new)
            .ok_or_else(|| Status::not_found("there is no such account"))
    }
}

impl IdentityStub {
    fn accounts(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn account(name: &str, kind: &str, tenant: &str, status: &str) -> Account {
    Account {
        id: name.to_owned(),
        kind: kind.to_owned(),
        tenant: tenant.to_owned(),
        name: name.to_owned(),
        email: format!("{name}@example.org"),
        email_verified: true,
        status: status.to_owned(),
    }
}

fn changed(account: &Account) -> AccountChanged {
    AccountChanged {
        id: account.id.clone(),
        kind: account.kind.clone(),
        tenant: account.tenant.clone(),
        status: account.status.clone(),
        deleted: false,
        credentials_changed: false,
        credentials_changed_at: 0,
        session: None,
    }
}

fn now_ms() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}

fn outcome(found: Option<&Account>) -> CheckResponse {
    let outcome = match found {
        None => Outcome::Wrong,
        Some(account) if account.status != "active" => Outcome::NotActive,
        Some(_) => Outcome::Ok,
    };
    CheckResponse {
        outcome: outcome.into(),
        account: found.filter(|_| outcome == Outcome::Ok).cloned(),
        retry_after_seconds: 0,
    }
}
