//! `wharf.identity.v1.Tenants`.

use tonic::{Request, Response};
use wharf_proto::identity::v1 as pb;

use super::Answer;
use crate::Identity;
use crate::caller::Caller;
use crate::tables::tenant;
use crate::text::timestamp;

#[tonic::async_trait]
impl pb::tenants_server::Tenants for Identity {
    async fn create(&self, request: Request<pb::CreateTenantRequest>) -> Answer<pb::Tenant> {
        let asked = request.into_inner();
        let tenant = self.create_tenant(&Caller::current(), &asked.id, &asked.name).await?;
        Ok(Response::new(tenant.into()))
    }

    async fn get(&self, request: Request<pb::GetTenantRequest>) -> Answer<pb::Tenant> {
        let tenant = self.tenant(&Caller::current(), &request.into_inner().id).await?;
        Ok(Response::new(tenant.into()))
    }

    async fn list(&self, request: Request<pb::ListTenantsRequest>) -> Answer<pb::ListTenantsResponse> {
        let asked = request.into_inner();
        let (tenants, next_page_token) = self.list_tenants(&Caller::current(), asked.page_size, &asked.page_token).await?;
        Ok(Response::new(pb::ListTenantsResponse {
            tenants: tenants.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }
}

impl From<tenant::Model> for pb::Tenant {
    fn from(tenant: tenant::Model) -> Self {
        Self {
            id: tenant.id,
            name: tenant.name,
            created: timestamp(tenant.created),
        }
    }
}
