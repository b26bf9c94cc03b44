//! `GET /auth/v1/login/{provider}` sends the browser to another provider, `GET /auth/v1/callback/{provider}` is where it comes back.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use wharf_sdk::Call;

use super::authorize::redirect;
use super::cookie;
use super::errors::NO_STORE;
use super::first_party::TokenResponse;
use super::origin;
use super::page::error_page;
use crate::Auth;
use crate::clients::FIRST_PARTY;
use crate::external::CameBack;
use crate::failure::Failure;
use crate::now_ms;
use crate::sessions::Opening;

/// For which request of the authorization endpoint; without one the answer is shown as JSON.
#[derive(Default, Deserialize)]
pub(super) struct For {
    request: Option<String>,
}

/// Begins.
pub(super) async fn begin(
    State(auth): State<Arc<Auth>>,
    provider: Result<Path<String>, PathRejection>,
    what: Result<Query<For>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let (Ok(Path(provider)), Ok(Query(what))) = (provider, what) else {
        return malformed();
    };
    match auth.send_away(&provider, what.request.as_deref(), &headers).await {
        Ok(response) => response,
        Err(failure) => error_page(&failure),
    }
}

/// Ends.
pub(super) async fn end(
    State(auth): State<Arc<Auth>>,
    provider: Result<Path<String>, PathRejection>,
    back: Result<Query<CameBack>, QueryRejection>,
    call: Call,
    headers: HeaderMap,
) -> Response {
    let (Ok(Path(provider)), Ok(Query(back))) = (provider, back) else {
        return malformed();
    };
    let mut response = match auth.welcome_back(&provider, back, &call, &headers).await {
        Ok(response) => response,
        Err(failure) => error_page(&failure),
    };
    cookie::clear(&auth.inner.config, cookie::LOGIN, &mut response);
    response
}

fn malformed() -> Response {
    error_page(&Failure::Invalid("a parameter is repeated or malformed".to_owned()))
}

impl Auth {
    async fn send_away(&self, provider: &str, request: Option<&str>, headers: &HeaderMap) -> Result<Response, Failure> {
        let request = match request {
            None => None,
            Some(id) => {
                let browser = cookie::get(&self.inner.config, cookie::AUTHORIZE, headers).unwrap_or_default();
                Some(self.inner.request(id, browser).await?.hash)
            }
        };
        let begun = self.inner.begin_external(provider, request).await?;
        let mut response = redirect(&begun.address);
        cookie::set(&self.inner.config, cookie::LOGIN, begun.browser.reveal(), &mut response);
        Ok(response)
    }

    async fn welcome_back(&self, provider: &str, back: CameBack, call: &Call, headers: &HeaderMap) -> Result<Response, Failure> {
        let browser = cookie::get(&self.inner.config, cookie::LOGIN, headers).unwrap_or_default();
        let (account, request) = self.inner.end_external(provider, back, browser).await?;
        let method = format!("oidc:{provider}");
        if let Some(hash) = request {
            let request = self.inner.request_of(&hash).await?;
            return Ok(redirect(&self.inner.answer(request, &account, &method).await?));
        }
        let opening = Opening {
            account: &account,
            client: FIRST_PARTY,
            scope: None,
            method: &method,
            authenticated_at: now_ms(),
        };
        let tokens = self.inner.open_session(&opening, &origin(call, headers)).await?;
        Ok((NO_STORE, Json(TokenResponse::from(tokens))).into_response())
    }
}
