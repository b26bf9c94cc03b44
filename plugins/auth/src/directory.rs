//! What is asked of the module `identity`.

use tonic::{Code, Request, Status};
use wharf_proto::identity::v1::credentials_client::CredentialsClient;
use wharf_proto::identity::v1::{
    Account, CheckClientSecretRequest, CheckPasswordRequest, CheckResponse, GetAccountRequest, Outcome, ResolveExternalRequest,
};
use wharf_sdk::services::channel::Channel;
use wharf_sdk::{Context, Fault, tonic};

use crate::failure::Failure;

/// The accounts, as far as this module sees them.
#[derive(Clone, Debug)]
pub(crate) struct Directory(CredentialsClient<Channel>);

impl Directory {
    pub(crate) fn new(ctx: &Context) -> Result<Self, Fault> {
        Ok(Self(CredentialsClient::new(ctx.own().channel("identity")?)))
    }

    /// The account whose password this is.
    pub(crate) async fn by_password(&self, tenant: &str, login: &str, password: &str) -> Result<Account, Failure> {
        let request = CheckPasswordRequest {
            tenant: tenant.to_owned(),
            login: login.to_owned(),
            password: password.to_owned(),
        };
        checked(self.0.clone().check_password(request).await)
    }

    /// The service account whose secret this is.
    pub(crate) async fn by_client_secret(&self, client_id: &str, client_secret: &str) -> Result<Account, Failure> {
        let request = CheckClientSecretRequest {
            client_id: client_id.to_owned(),
            client_secret: client_secret.to_owned(),
        };
        checked(self.0.clone().check_client_secret(request).await).map_err(|failure| match failure {
            Failure::Wrong => Failure::Client,
            other => other,
        })
    }

    /// The account of somebody whom another provider vouches for; it is made when there is none.
    pub(crate) async fn by_external(&self, who: ResolveExternalRequest) -> Result<Account, Failure> {
        checked(self.0.clone().resolve_external(who).await)
    }

    /// An account that may have tokens now; none when there is none, or it is not active.
    pub(crate) async fn active(&self, id: &str) -> Result<Option<Account>, Failure> {
        let request = Request::new(GetAccountRequest { id: id.to_owned() });
        match self.0.clone().get_account(request).await {
            Ok(account) => Ok(Some(account.into_inner()).filter(|account| account.status == "active")),
            Err(status) if status.code() == Code::NotFound => Ok(None),
            Err(status) => Err(unavailable(&status)),
        }
    }
}

fn checked(answer: Result<tonic::Response<CheckResponse>, Status>) -> Result<Account, Failure> {
    let answer = answer.map_err(|status| unavailable(&status))?.into_inner();
    match (answer.outcome(), answer.account) {
        (Outcome::Ok, Some(account)) => Ok(account),
        (Outcome::Locked, _) => Err(Failure::Locked(answer.retry_after_seconds.max(1))),
        _ => Err(Failure::Wrong),
    }
}

fn unavailable(status: &Status) -> Failure {
    tracing::warn!(status.code = ?status.code(), "identity does not answer as it should");
    match status.code() {
        Code::InvalidArgument => Failure::Wrong,
        _ => Failure::Unavailable("accounts cannot be looked at now: try again later".to_owned()),
    }
}
