//! Calls to the APIs of core modules, as the host: what the command line does with users, roles and keys.

use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::problem::Problem;
use crate::grpc::connect::{CallFailed, Calls};
use crate::security::Principal;

/// Modules whose services can be called this way: those that come with the host.
const CORE: [&str; 4] = ["identity", "auth", "authz", "audit"];
/// How long a call may take.
const LIMIT: Duration = Duration::from_secs(25);

/// `POST /admin/v1/call/{service}/{method}`: a unary method of a core module, with JSON, as the host.
pub fn call_router(calls: Calls) -> Router {
    Router::new()
        .route("/admin/v1/call/{service}/{method}", post(call))
        .with_state(calls)
}

async fn call(State(calls): State<Calls>, Path((service, method)): Path<(String, String)>, body: Bytes) -> Result<Response, Problem> {
    let path = format!("/{service}/{method}");
    if let Some(module) = calls.module_of(&path).filter(|module| !CORE.contains(&module.as_str())) {
        return Err(Problem::new(
            "call.unknown",
            format!("{path} belongs to module {module}, expected a method of one of {}", CORE.join(", ")),
            "call other modules through the public listener",
        ));
    }
    let answer = calls.json(Principal::host(), &path, &body, LIMIT).await.map_err(problem)?;
    let mut response = answer.into_response();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

fn problem(failed: CallFailed) -> Problem {
    // Unimplemented is what there is when a core module does not run.
    let (code, hint) = match failed.name {
        "unimplemented" => ("call.unknown".to_owned(), "`wharf modules list` shows whether the module runs"),
        "internal" | "unknown" | "data_loss" => (format!("internal.{}", failed.name), "the host's log has more"),
        name => (format!("call.{name}"), ""),
    };
    Problem::new(&code, failed.message, hint)
}
