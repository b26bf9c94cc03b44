//! `Policy`: what hosts ask.

use wharf_proto::authz::v1::{self, policy_server::Policy};
use wharf_sdk::tonic::{self, Request, Response, Status};

use crate::Authz;
use crate::caller::Caller;
use crate::error::Result;
use crate::feed::{self, Feed};
use crate::line::EVERYWHERE;

#[tonic::async_trait]
impl Policy for Authz {
    type WatchStream = Feed;

    async fn watch(&self, _: Request<v1::WatchPolicyRequest>) -> Result<Response<Feed>, Status> {
        self.everywhere("authz.policy.watch").await?;
        Ok(Response::new(feed::watch(&self.ctx, &self.book)))
    }

    async fn report_permissions(
        &self,
        request: Request<v1::ReportPermissionsRequest>,
    ) -> Result<Response<v1::ReportPermissionsResponse>, Status> {
        self.everywhere("authz.permission.report").await?;
        let v1::ReportPermissionsRequest { node, modules } = request.into_inner();
        self.book.store.report(&node, &modules).await?;
        Ok(Response::new(v1::ReportPermissionsResponse {}))
    }
}

impl Authz {
    /// These methods know no tenants: an administrator of one tenant is none of them.
    async fn everywhere(&self, permission: &str) -> Result<()> {
        Caller::current()?.needs(&self.book.read().await.policy, permission, EVERYWHERE)
    }
}
