//! `wharf.identity.v1.Users`.

use tonic::{Request, Response};
use wharf_proto::identity::v1 as pb;

use super::Answer;
use crate::Identity;
use crate::caller::Caller;
use crate::tables::user;
use crate::text::timestamp;
use crate::users::{NewUser, READ, UserChange, Which};

#[tonic::async_trait]
impl pb::users_server::Users for Identity {
    async fn create(&self, request: Request<pb::CreateUserRequest>) -> Answer<pb::User> {
        let asked = request.into_inner();
        let new = NewUser {
            tenant: &asked.tenant,
            email: &asked.email,
            name: &asked.name,
            password: &asked.password,
            email_verified: asked.email_verified,
        };
        let user = self.create_user(&Caller::current(), new).await?;
        Ok(Response::new(user.into()))
    }

    async fn invite(&self, request: Request<pb::InviteUserRequest>) -> Answer<pb::User> {
        let asked = request.into_inner();
        let user = self
            .invite_user(&Caller::current(), &asked.tenant, &asked.email, &asked.name)
            .await?;
        Ok(Response::new(user.into()))
    }

    async fn get(&self, request: Request<pb::GetUserRequest>) -> Answer<pb::User> {
        let asked = request.into_inner();
        let caller = Caller::current();
        let user = match asked.id.as_str() {
            "" => self.find_user(&caller, &asked.tenant, &asked.email).await?,
            id => self.user(&caller, id, READ).await?,
        };
        Ok(Response::new(user.into()))
    }

    async fn list(&self, request: Request<pb::ListUsersRequest>) -> Answer<pb::ListUsersResponse> {
        let asked = request.into_inner();
        let which = Which {
            tenant: &asked.tenant,
            after: &asked.page_token,
            size: asked.page_size,
            status: &asked.status,
            search: &asked.search,
        };
        let (users, next_page_token) = self.list_users(&Caller::current(), which).await?;
        Ok(Response::new(pb::ListUsersResponse {
            users: users.into_iter().map(Into::into).collect(),
            next_page_token,
        }))
    }

    async fn update(&self, request: Request<pb::UpdateUserRequest>) -> Answer<pb::User> {
        let asked = request.into_inner();
        let change = UserChange {
            version: asked.version,
            name: asked.name,
            email: asked.email,
            email_verified: asked.email_verified,
        };
        let user = self.update_user(&Caller::current(), &asked.id, change).await?;
        Ok(Response::new(user.into()))
    }

    async fn set_status(&self, request: Request<pb::SetUserStatusRequest>) -> Answer<pb::User> {
        let asked = request.into_inner();
        let user = self.set_user_status(&Caller::current(), &asked.id, &asked.status).await?;
        Ok(Response::new(user.into()))
    }

    async fn delete(&self, request: Request<pb::DeleteUserRequest>) -> Answer<pb::DeleteUserResponse> {
        self.delete_user(&Caller::current(), &request.into_inner().id).await?;
        Ok(Response::new(pb::DeleteUserResponse {}))
    }

    async fn me(&self, _: Request<pb::MeRequest>) -> Answer<pb::User> {
        let user = Identity::me(self, &Caller::current()).await?;
        Ok(Response::new(user.into()))
    }

    async fn set_password(&self, request: Request<pb::SetPasswordRequest>) -> Answer<pb::SetPasswordResponse> {
        let asked = request.into_inner();
        self.set_own_password(&Caller::current(), &asked.old_password, &asked.new_password)
            .await?;
        Ok(Response::new(pb::SetPasswordResponse {}))
    }

    async fn send_verification(&self, _: Request<pb::SendVerificationRequest>) -> Answer<pb::SendVerificationResponse> {
        Identity::send_verification(self, &Caller::current()).await?;
        Ok(Response::new(pb::SendVerificationResponse {}))
    }
}

impl From<user::Model> for pb::User {
    fn from(user: user::Model) -> Self {
        Self {
            id: user.id,
            tenant: user.tenant,
            email: user.email.unwrap_or_default(),
            email_verified: user.email_verified,
            name: user.name,
            status: user.status,
            has_password: user.password.is_some(),
            created: timestamp(user.created),
            updated: timestamp(user.updated),
            version: u64::try_from(user.version).unwrap_or_default(),
        }
    }
}
