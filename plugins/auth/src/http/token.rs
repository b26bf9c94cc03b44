//! The token endpoint (RFC 6749, as OAuth 2.1 has it) and its neighbours: revocation (RFC 7009), introspection (RFC 7662).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use wharf_sdk::services::authz::Resource;
use wharf_sdk::{Call, Principal};

use super::errors::{NO_STORE, OAuthError};
use super::first_party::TokenResponse;
use super::form::{OAuthForm, credentials};
use super::origin;
use crate::Auth;
use crate::clients::FIRST_PARTY;
use crate::failure::Failure;
use crate::grants::{Credentials, Exchange};
use crate::secret::Shown;
use crate::sessions::Tokens;

type Word = Option<Shown>;

/// Parameters of the token endpoint; unknown ones are ignored, as RFC 6749, 3.2, wants it.
#[derive(Deserialize)]
pub(super) struct Asked {
    grant_type: Option<String>,
    client_id: Option<String>,
    client_secret: Word,
    scope: Option<String>,
    code: Word,
    redirect_uri: Option<String>,
    code_verifier: Word,
    refresh_token: Word,
}

/// Parameters of revocation and introspection.
#[derive(Deserialize)]
pub(super) struct About {
    token: Word,
    client_id: Option<String>,
    client_secret: Word,
}

/// `POST /auth/v1/token`.
pub(super) async fn token(
    State(auth): State<Arc<Auth>>,
    call: Call,
    headers: HeaderMap,
    OAuthForm(asked): OAuthForm<Asked>,
) -> Result<Response, OAuthError> {
    let tokens = auth.grant(&asked, &call, &headers).await?;
    Ok((NO_STORE, Json(TokenResponse::from(tokens))).into_response())
}

impl Auth {
    async fn grant(&self, asked: &Asked, call: &Call, headers: &HeaderMap) -> Result<Tokens, OAuthError> {
        let secret = asked.client_secret.as_deref();
        let shown = || credentials(headers, asked.client_id.as_deref(), secret);
        let origin = origin(call, headers);
        match asked.grant_type.as_deref() {
            Some("authorization_code") => {
                let client = self.inner.authenticate_client(&shown()?).await?;
                let exchange = Exchange {
                    code: needed("code", asked.code.as_ref())?,
                    redirect_uri: asked.redirect_uri.as_deref().ok_or_else(|| missing("redirect_uri"))?,
                    verifier: needed("code_verifier", asked.code_verifier.as_ref())?,
                };
                Ok(self.inner.exchange(&client, &exchange, &origin).await?)
            }
            Some("refresh_token") => {
                let token = needed("refresh_token", asked.refresh_token.as_ref())?;
                // Sessions of the first-party API belong to Wharf itself, which need not say its name.
                let shown = match (&asked.client_id, headers.contains_key(header::AUTHORIZATION)) {
                    (None, false) => Credentials {
                        id: FIRST_PARTY.to_owned(),
                        secret: None,
                    },
                    _ => shown()?,
                };
                let client = self.inner.authenticate_client(&shown).await?;
                Ok(self.inner.refresh(token, &client.id, asked.scope.as_deref(), &origin).await?)
            }
            Some("client_credentials") => Ok(self.inner.client_credentials(&shown()?, asked.scope.as_deref()).await?),
            Some(_) => Err(OAuthError(Failure::Invalid(UNSUPPORTED.to_owned()))),
            None => Err(missing("grant_type")),
        }
    }
}

/// `POST /auth/v1/revoke`: 200 whatever the token was, unless the client is not who it says.
pub(super) async fn revoke(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    OAuthForm(about): OAuthForm<About>,
) -> Result<Response, OAuthError> {
    let token = needed("token", about.token.as_ref())?;
    let shown = auth.shown_or_first_party(&headers, &about)?;
    let client = auth.known_client(&shown).await?;
    auth.inner.revoke_token(&client, token).await?;
    Ok((StatusCode::OK, NO_STORE).into_response())
}

/// `POST /auth/v1/introspect`: for clients that can prove who they are, service accounts, and bearers who hold
/// `auth.token.introspect`.
pub(super) async fn introspect(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    OAuthForm(about): OAuthForm<About>,
) -> Result<Response, OAuthError> {
    let token = needed("token", about.token.as_ref())?;
    // The host takes a token off that it knows, and says whose it was.
    let shows_client = about.client_id.is_some() || headers.contains_key(header::AUTHORIZATION);
    if is_bearer(&headers) || (!shows_client && Principal::current().is_some()) {
        auth.may_introspect()?;
    } else {
        let secret = about.client_secret.as_deref();
        let shown = credentials(&headers, about.client_id.as_deref(), secret)?;
        if shown.secret.is_none() {
            return Err(OAuthError(Failure::Client));
        }
        auth.known_client(&shown).await?;
    }
    let told = auth.inner.introspect(token).await?;
    Ok((NO_STORE, Json(told)).into_response())
}

impl Auth {
    /// The host has looked at the bearer: whoever it does not know, or may not, is told no more than a wrong client.
    fn may_introspect(&self) -> Result<(), OAuthError> {
        let is_known = Principal::current().is_some();
        let authz = self.inner.ctx.authz().map_err(Failure::from)?;
        match is_known && authz.check("auth.token.introspect", Resource::any()).map_err(Failure::from)? {
            true => Ok(()),
            false => Err(OAuthError(Failure::Client)),
        }
    }

    fn shown_or_first_party(&self, headers: &HeaderMap, about: &About) -> Result<Credentials, OAuthError> {
        if about.client_id.is_none() && !headers.contains_key(header::AUTHORIZATION) {
            return Ok(Credentials {
                id: FIRST_PARTY.to_owned(),
                secret: None,
            });
        }
        credentials(headers, about.client_id.as_deref(), about.client_secret.as_deref())
    }

    /// Id of a registered client, or of a service account.
    async fn known_client(&self, shown: &Credentials) -> Result<String, OAuthError> {
        if self.inner.client(&shown.id).await?.is_some() {
            return Ok(self.inner.authenticate_client(shown).await?.id);
        }
        let secret = shown.secret.as_deref().ok_or(OAuthError(Failure::Client))?;
        Ok(self.inner.directory.by_client_secret(&shown.id, secret).await?.id)
    }
}

fn is_bearer(headers: &HeaderMap) -> bool {
    let scheme = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().get(..7));
    scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
}

const UNSUPPORTED: &str = "found a grant_type that is not served, expected authorization_code, refresh_token or client_credentials";

fn needed<'a>(name: &str, value: Option<&'a Shown>) -> Result<&'a str, OAuthError> {
    value
        .map(|value| &**value)
        .filter(|value| !value.is_empty() && value.len() <= 16 * 1024)
        .ok_or_else(|| missing(name))
}

fn missing(name: &str) -> OAuthError {
    OAuthError::invalid(format!("found no usable {name}, expected one"))
}
