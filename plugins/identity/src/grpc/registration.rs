//! `wharf.identity.v1.Registration` and `Bootstrap`.

use tonic::{Request, Response};
use wharf_proto::identity::v1 as pb;

use super::Answer;
use crate::Identity;
use crate::registration::Acceptance;
use crate::text::timestamp;

#[tonic::async_trait]
impl pb::registration_server::Registration for Identity {
    async fn request_password_reset(&self, request: Request<pb::RequestPasswordResetRequest>) -> Answer<pb::RequestPasswordResetResponse> {
        let asked = request.into_inner();
        self.request_reset(&asked.tenant, &asked.email).await?;
        Ok(Response::new(pb::RequestPasswordResetResponse {}))
    }

    async fn reset_password(&self, request: Request<pb::ResetPasswordRequest>) -> Answer<pb::ResetPasswordResponse> {
        let asked = request.into_inner();
        Identity::reset_password(self, &asked.token, &asked.new_password).await?;
        Ok(Response::new(pb::ResetPasswordResponse {}))
    }

    async fn verify_email(&self, request: Request<pb::VerifyEmailRequest>) -> Answer<pb::VerifyEmailResponse> {
        Identity::verify_email(self, &request.into_inner().token).await?;
        Ok(Response::new(pb::VerifyEmailResponse {}))
    }

    async fn accept_invitation(&self, request: Request<pb::AcceptInvitationRequest>) -> Answer<pb::AcceptInvitationResponse> {
        let asked = request.into_inner();
        let accepted = Acceptance {
            token: &asked.token,
            password: &asked.password,
            name: &asked.name,
            email: &asked.email,
        };
        let user = Identity::accept_invitation(self, accepted).await?;
        Ok(Response::new(pb::AcceptInvitationResponse {
            user_id: user.id,
            email: user.email.unwrap_or_default(),
            tenant: user.tenant,
        }))
    }
}

#[tonic::async_trait]
impl pb::bootstrap_server::Bootstrap for Identity {
    async fn invite_administrator(&self, request: Request<pb::InviteAdministratorRequest>) -> Answer<pb::InviteAdministratorResponse> {
        let made = Identity::invite_administrator(self, &request.into_inner().email).await?;
        Ok(Response::new(pb::InviteAdministratorResponse {
            url: made.url,
            expires: timestamp(made.expires),
        }))
    }

    async fn get_state(&self, _: Request<pb::GetBootstrapStateRequest>) -> Answer<pb::BootstrapState> {
        let has_administrator = self.links.has_administrator().await.map_err(tonic::Status::from)?;
        Ok(Response::new(pb::BootstrapState { has_administrator }))
    }
}
