//! `POST /auth/v1/sessions`: Wharf's own way to log in with a password.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use wharf_sdk::Call;

use super::errors::{NO_STORE, Refusal};
use super::origin;
use crate::clients::FIRST_PARTY;
use crate::failure::Failure;
use crate::secret::Shown;
use crate::sessions::{Opening, Tokens};
use crate::{Auth, now_ms};

/// Longest password that is looked at.
pub(crate) const LONGEST_PASSWORD: usize = 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Login {
    #[serde(default)]
    tenant: String,
    login: String,
    password: Shown,
}

/// RFC 6749, 5.1.
#[derive(Serialize)]
pub(crate) struct TokenResponse {
    access_token: String,
    token_type: &'static str,
    expires_in: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

impl From<Tokens> for TokenResponse {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access,
            token_type: "Bearer",
            expires_in: tokens.expires_in,
            refresh_token: tokens.refresh.map(|refresh| refresh.reveal().to_owned()),
            scope: tokens.scope,
            id_token: tokens.id_token,
        }
    }
}

/// Opens a session. The body is `{"tenant": "default", "login": "ada@example.org", "password": "..."}`, where the tenant may be left
/// out; the answer is 201 and that of the token endpoint. 401 for every wrong outcome, with one sentence; 429 with `Retry-After` after too
/// many; 503 while accounts cannot be looked at.
pub(super) async fn open(
    State(auth): State<Arc<Auth>>,
    call: Call,
    headers: HeaderMap,
    login: Result<Json<Login>, JsonRejection>,
) -> Result<Response, Refusal> {
    // Why a body is refused is not told in full: it holds a password.
    let Ok(Json(login)) = login else {
        return Err(Refusal(Failure::Invalid(
            "expected a JSON object with login, password and perhaps tenant".to_owned(),
        )));
    };
    let tokens = auth.log_in(&login, &call, &headers).await?;
    Ok((StatusCode::CREATED, NO_STORE, Json(TokenResponse::from(tokens))).into_response())
}

impl Auth {
    async fn log_in(&self, login: &Login, call: &Call, headers: &HeaderMap) -> Result<Tokens, Failure> {
        if login.password.len() > LONGEST_PASSWORD {
            return Err(Failure::Wrong);
        }
        // Before the look at the password: should it be changed meanwhile, this login came before.
        let authenticated_at = now_ms();
        let found = self.inner.directory.by_password(&login.tenant, &login.login, &login.password).await;
        let account = match found {
            Ok(account) => account,
            Err(failure) => return Err(self.inner.refuse_login(&login.tenant, &login.login, failure).await),
        };
        let opening = Opening {
            account: &account,
            client: FIRST_PARTY,
            scope: None,
            method: "password",
            authenticated_at,
        };
        self.inner.open_session(&opening, &origin(call, headers)).await
    }
}
