//! `GET /auth/v1/authorize` shows a form, `POST /auth/v1/authorize` takes it and sends the browser back to the client with a code.
//!
//! The page has no script and may load nothing; nobody may frame it; its form goes here and on to the client's address alone.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::cookie;
use super::errors::{NO_STORE, Refusal};
use super::first_party::LONGEST_PASSWORD;
use super::page::{Page, error_page};
use crate::Auth;
use crate::authorize::{Parameters, Refused};
use crate::failure::Failure;
use crate::secret::{Secret, Shown};

/// What the form sends.
#[derive(Deserialize)]
pub(super) struct Sent {
    request: Shown,
    #[serde(default)]
    tenant: String,
    login: String,
    password: Shown,
}

/// Shows the form, once it is sure whom the answer is for.
pub(super) async fn show(State(auth): State<Arc<Auth>>, sent: Result<Query<Parameters>, QueryRejection>) -> Response {
    let Ok(Query(sent)) = sent else {
        let failure = Failure::Invalid("a parameter is missing, repeated or malformed".to_owned());
        return error_page(&failure);
    };
    match auth.begin(sent).await {
        Ok(page) => page,
        Err(Refused::Here(failure)) => error_page(&failure),
        Err(Refused::There {
            redirect_uri,
            state,
            error,
            description,
        }) => {
            let answer = [("error", error), ("error_description", description.as_str())];
            redirect(&auth.inner.address(&redirect_uri, state.as_deref(), &answer))
        }
    }
}

impl Auth {
    async fn begin(&self, sent: Parameters) -> Result<Response, Refused> {
        let wanted = self.inner.wanted(sent).await?;
        let browser = Secret::random().map_err(Refused::Here)?;
        let id = self.inner.keep_request(&wanted, &browser).await.map_err(Refused::Here)?;
        let mut response = self.page(id.reveal(), &wanted.client.name, &wanted.redirect_uri, "", None);
        cookie::set(&self.inner.config, cookie::AUTHORIZE, browser.reveal(), &mut response);
        Ok(response)
    }

    fn page(&self, id: &str, client: &str, redirect_uri: &str, login: &str, wrong: Option<&Failure>) -> Response {
        let page = Page {
            request: id,
            client,
            redirect_uri,
            login,
            wrong: wrong.map(ToString::to_string),
            providers: &self.inner.config.providers,
        };
        page.into_response()
    }
}

/// Takes the form.
pub(super) async fn take(
    State(auth): State<Arc<Auth>>,
    headers: HeaderMap,
    sent: Result<Form<Sent>, FormRejection>,
) -> Result<Response, Refusal> {
    let Ok(Form(sent)) = sent else {
        return Ok(error_page(&Failure::Invalid("the form is not complete: begin again".to_owned())));
    };
    let browser = cookie::get(&auth.inner.config, cookie::AUTHORIZE, &headers).unwrap_or_default();
    let request = match auth.inner.request(&sent.request, browser).await {
        Ok(request) => request,
        Err(failure) => return Ok(error_page(&failure)),
    };
    let checked = match sent.password.len() {
        0..=LONGEST_PASSWORD => auth.inner.directory.by_password(&sent.tenant, &sent.login, &sent.password).await,
        _ => Err(Failure::Wrong),
    };
    let account = match checked {
        Ok(account) => account,
        Err(failure) => {
            let failure = auth.inner.refuse_login(&sent.tenant, &sent.login, failure).await;
            let client = auth.inner.client(&request.client).await?;
            let name = client.map(|client| client.name).unwrap_or_default();
            return Ok(auth.page(&sent.request, &name, &request.redirect_uri, &sent.login, Some(&failure)));
        }
    };
    match auth.inner.answer(request, &account, "password").await {
        Ok(address) => {
            let mut response = redirect(&address);
            cookie::clear(&auth.inner.config, cookie::AUTHORIZE, &mut response);
            Ok(response)
        }
        Err(failure) => Ok(error_page(&failure)),
    }
}

/// 303, so that a form is not sent on (RFC 9700, 4.12).
pub(super) fn redirect(address: &str) -> Response {
    let Ok(address) = HeaderValue::from_str(address) else {
        return error_page(&Failure::internal("found an address that is no header value"));
    };
    let mut response = (StatusCode::SEE_OTHER, NO_STORE).into_response();
    response.headers_mut().insert(header::LOCATION, address);
    response
        .headers_mut()
        .insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}
