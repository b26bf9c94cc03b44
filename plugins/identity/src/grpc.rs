//! The gRPC services: they translate, and say who is calling.

mod credentials;
mod groups;
mod people;
mod programs;
mod registration;
mod tenants;

use std::sync::Arc;

use tonic::{Response, Status};
use wharf_proto::identity::v1::bootstrap_server::BootstrapServer;
use wharf_proto::identity::v1::credentials_server::CredentialsServer;
use wharf_proto::identity::v1::groups_server::GroupsServer;
use wharf_proto::identity::v1::registration_server::RegistrationServer;
use wharf_proto::identity::v1::service_accounts_server::ServiceAccountsServer;
use wharf_proto::identity::v1::tenants_server::TenantsServer;
use wharf_proto::identity::v1::users_server::UsersServer;
use wharf_sdk::Grpc;

use crate::Identity;

type Answer<T> = Result<Response<T>, Status>;

pub(crate) fn services(identity: &Arc<Identity>) -> Grpc {
    Grpc::new()
        .serve(BootstrapServer::from_arc(identity.clone()))
        .serve(CredentialsServer::from_arc(identity.clone()))
        .serve(GroupsServer::from_arc(identity.clone()))
        .serve(RegistrationServer::from_arc(identity.clone()))
        .serve(ServiceAccountsServer::from_arc(identity.clone()))
        .serve(TenantsServer::from_arc(identity.clone()))
        .serve(UsersServer::from_arc(identity.clone()))
}
