//! The gRPC API `wharf.authz.v1`.

mod asking;
mod bindings;
mod policy;
mod roles;

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;
use wharf_proto::authz::v1;
use wharf_sdk::Grpc;

use crate::Authz;
use crate::error::{Error, Result};

pub(crate) fn services(authz: &Arc<Authz>) -> Grpc {
    Grpc::new()
        .serve(v1::policy_server::PolicyServer::from_arc(authz.clone()))
        .serve(v1::roles_server::RolesServer::from_arc(authz.clone()))
        .serve(v1::bindings_server::BindingsServer::from_arc(authz.clone()))
        .serve(v1::permissions_server::PermissionsServer::from_arc(authz.clone()))
        .serve(v1::decisions_server::DecisionsServer::from_arc(authz.clone()))
}

/// The line a page begins after. It is a line, not a secret.
fn read_token<T: DeserializeOwned>(token: &str) -> Result<Option<T>> {
    if token.is_empty() {
        return Ok(None);
    }
    let read = serde_json::from_str(token);
    read.map(Some)
        .map_err(|_| Error::Invalid(format!("found page token {token:?}, expected `next_page_token` of the page before")))
}

fn write_token<T: Serialize>(last: Option<&T>, more: bool) -> Result<String> {
    match last {
        Some(last) if more => Ok(serde_json::to_string(last)?),
        _ => Ok(String::new()),
    }
}
