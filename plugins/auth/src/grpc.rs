//! The gRPC services `wharf.auth.v1`. Those of people are unary, so that they are reachable as JSON too.

mod api_keys;
mod caller;
mod clients;
mod sessions;
mod sources;

pub(crate) use caller::Page;

use std::sync::Arc;

use wharf_proto::auth::v1::api_keys_server::ApiKeysServer;
use wharf_proto::auth::v1::clients_server::ClientsServer;
use wharf_proto::auth::v1::keys_server::KeysServer;
use wharf_proto::auth::v1::revocations_server::RevocationsServer;
use wharf_proto::auth::v1::sessions_server::SessionsServer;
use wharf_proto::auth::v1::tokens_server::TokensServer;
use wharf_sdk::Grpc;

use crate::Auth;

pub(crate) fn services(auth: &Arc<Auth>) -> Grpc {
    Grpc::new()
        .serve(KeysServer::from_arc(Arc::clone(auth)))
        .serve(RevocationsServer::from_arc(Arc::clone(auth)))
        .serve(TokensServer::from_arc(Arc::clone(auth)))
        .serve(SessionsServer::from_arc(Arc::clone(auth)))
        .serve(ApiKeysServer::from_arc(Arc::clone(auth)))
        .serve(ClientsServer::from_arc(Arc::clone(auth)))
}
