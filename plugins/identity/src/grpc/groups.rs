//! `wharf.identity.v1.Groups`.

use tonic::{Request, Response};
use wharf_proto::identity::v1 as pb;

use super::Answer;
use crate::Identity;
use crate::caller::Caller;
use crate::groups::READ;
use crate::tables::group;
use crate::text::timestamp;

#[tonic::async_trait]
impl pb::groups_server::Groups for Identity {
    async fn create(&self, request: Request<pb::CreateGroupRequest>) -> Answer<pb::Group> {
        let asked = request.into_inner();
        let group = self
            .create_group(&Caller::current(), &asked.tenant, &asked.name, &asked.description)
            .await?;
        Ok(Response::new(group.into()))
    }

    async fn get(&self, request: Request<pb::GetGroupRequest>) -> Answer<pb::Group> {
        let group = self.group(&Caller::current(), &request.into_inner().id, READ).await?;
        Ok(Response::new(group.into()))
    }

    async fn list(&self, request: Request<pb::ListGroupsRequest>) -> Answer<pb::ListGroupsResponse> {
        let asked = request.into_inner();
        let (groups, next_page_token) = self
            .list_groups(&Caller::current(), &asked.tenant, asked.page_size, &asked.page_token)
            .await?;
        Ok(Response::new(pb::ListGroupsResponse {
            groups: groups.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn delete(&self, request: Request<pb::DeleteGroupRequest>) -> Answer<pb::DeleteGroupResponse> {
        self.delete_group(&Caller::current(), &request.into_inner().id).await?;
        Ok(Response::new(pb::DeleteGroupResponse {}))
    }

    async fn add_member(&self, request: Request<pb::GroupMemberRequest>) -> Answer<pb::GroupMemberResponse> {
        let asked = request.into_inner();
        let changed = Identity::add_member(self, &Caller::current(), &asked.group, &asked.member).await?;
        Ok(Response::new(pb::GroupMemberResponse { changed }))
    }

    async fn remove_member(&self, request: Request<pb::GroupMemberRequest>) -> Answer<pb::GroupMemberResponse> {
        let asked = request.into_inner();
        let changed = Identity::remove_member(self, &Caller::current(), &asked.group, &asked.member).await?;
        Ok(Response::new(pb::GroupMemberResponse { changed }))
    }

    async fn list_members(&self, request: Request<pb::ListMembersRequest>) -> Answer<pb::ListMembersResponse> {
        let asked = request.into_inner();
        let (members, next_page_token) =
            Identity::list_members(self, &Caller::current(), &asked.group, asked.page_size, &asked.page_token).await?;
        Ok(Response::new(pb::ListMembersResponse { members, next_page_token }))
    }
}

impl From<group::Model> for pb::Group {
    fn from(group: group::Model) -> Self {
        Self {
            id: group.id,
            tenant: group.tenant,
            name: group.name,
            description: group.description,
            created: timestamp(group.created),
        }
    }
}
