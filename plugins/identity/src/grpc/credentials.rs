//! `wharf.identity.v1.Credentials`.

use tonic::{Request, Response};
use wharf_proto::identity::v1 as pb;

use super::Answer;
use crate::Identity;
use crate::credentials::{Account, Checked, Vouched};

#[tonic::async_trait]
impl pb::credentials_server::Credentials for Identity {
    async fn check_password(&self, request: Request<pb::CheckPasswordRequest>) -> Answer<pb::CheckResponse> {
        let asked = request.into_inner();
        let checked = Identity::check_password(self, &asked.tenant, &asked.login, &asked.password).await?;
        Ok(Response::new(checked.into()))
    }

    async fn check_client_secret(&self, request: Request<pb::CheckClientSecretRequest>) -> Answer<pb::CheckResponse> {
        let asked = request.into_inner();
        let checked = Identity::check_client_secret(self, &asked.client_id, &asked.client_secret).await?;
        Ok(Response::new(checked.into()))
    }

    async fn resolve_external(&self, request: Request<pb::ResolveExternalRequest>) -> Answer<pb::CheckResponse> {
        let asked = request.into_inner();
        let vouched = Vouched {
            tenant: asked.tenant,
            issuer: asked.issuer,
            subject: asked.subject,
            email: asked.email,
            email_verified: asked.email_verified,
            name: asked.name,
            link_by_email: asked.link_by_email,
        };
        let checked = Identity::resolve_external(self, vouched).await?;
        Ok(Response::new(checked.into()))
    }

    async fn get_account(&self, request: Request<pb::GetAccountRequest>) -> Answer<pb::Account> {
        let account = self.account(&request.into_inner().id).await?;
        Ok(Response::new(account.into()))
    }
}

impl From<Checked> for pb::CheckResponse {
    fn from(checked: Checked) -> Self {
        let of = |outcome: pb::Outcome| Self {
            outcome: outcome.into(),
            ..Self::default()
        };
        match checked {
            Checked::Ok(account) => Self {
                account: Some(account.into()),
                ..of(pb::Outcome::Ok)
            },
            Checked::Wrong => of(pb::Outcome::Wrong),
            Checked::NotActive => of(pb::Outcome::NotActive),
            Checked::Locked(seconds) => Self {
                retry_after_seconds: seconds,
                ..of(pb::Outcome::Locked)
            },
        }
    }
}

impl From<Account> for pb::Account {
    fn from(account: Account) -> Self {
        match account {
            Account::User(user) => Self {
                id: user.id,
                kind: "user".to_owned(),
                tenant: user.tenant,
                name: user.name,
                email: user.email.unwrap_or_default(),
                email_verified: user.email_verified,
                status: user.status,
            },
            Account::Service(service) => Self {
                id: service.id,
                kind: "service".to_owned(),
                tenant: service.tenant,
                name: service.name,
                email: String::new(),
                email_verified: false,
                status: service.status,
            },
        }
    }
}
