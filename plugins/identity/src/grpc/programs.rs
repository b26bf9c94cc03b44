//! `wharf.identity.v1.ServiceAccounts`.

use tonic::{Request, Response};
use wharf_proto::identity::v1 as pb;

use super::Answer;
use crate::Identity;
use crate::caller::Caller;
use crate::services::READ;
use crate::tables::service;
use crate::text::timestamp;

#[tonic::async_trait]
impl pb::service_accounts_server::ServiceAccounts for Identity {
    async fn create(&self, request: Request<pb::CreateServiceAccountRequest>) -> Answer<pb::ServiceAccountSecret> {
        let asked = request.into_inner();
        let caller = Caller::current();
        let made = self.create_service(&caller, &asked.tenant, &asked.name, &asked.description);
        Ok(Response::new(shown(made.await?)))
    }

    async fn get(&self, request: Request<pb::GetServiceAccountRequest>) -> Answer<pb::ServiceAccount> {
        let service = self.service(&Caller::current(), &request.into_inner().id, READ).await?;
        Ok(Response::new(service.into()))
    }

    async fn list(&self, request: Request<pb::ListServiceAccountsRequest>) -> Answer<pb::ListServiceAccountsResponse> {
        let asked = request.into_inner();
        let (accounts, next_page_token) = self
            .list_services(&Caller::current(), &asked.tenant, asked.page_size, &asked.page_token)
            .await?;
        Ok(Response::new(pb::ListServiceAccountsResponse {
            accounts: accounts.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn rotate(&self, request: Request<pb::RotateServiceAccountRequest>) -> Answer<pb::ServiceAccountSecret> {
        let made = self.rotate_service(&Caller::current(), &request.into_inner().id).await?;
        Ok(Response::new(shown(made)))
    }

    async fn set_status(&self, request: Request<pb::SetServiceAccountStatusRequest>) -> Answer<pb::ServiceAccount> {
        let asked = request.into_inner();
        let service = self.set_service_status(&Caller::current(), &asked.id, &asked.status).await?;
        Ok(Response::new(service.into()))
    }

    async fn delete(&self, request: Request<pb::DeleteServiceAccountRequest>) -> Answer<pb::DeleteServiceAccountResponse> {
        self.delete_service(&Caller::current(), &request.into_inner().id).await?;
        Ok(Response::new(pb::DeleteServiceAccountResponse {}))
    }
}

impl From<service::Model> for pb::ServiceAccount {
    fn from(service: service::Model) -> Self {
        Self {
            id: service.id,
            tenant: service.tenant,
            name: service.name,
            description: service.description,
            status: service.status,
            created: timestamp(service.created),
            updated: timestamp(service.updated),
            secret_made: timestamp(service.secret_made),
        }
    }
}

fn shown((service, secret): (service::Model, String)) -> pb::ServiceAccountSecret {
    pb::ServiceAccountSecret {
        account: Some(service.into()),
        secret,
    }
}
