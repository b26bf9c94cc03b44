//! The authorization endpoint: a request of a client, a login in the browser that made it, and a code for the client.
//!
//! A request is kept here and bound to the browser by a cookie that lives as long as it does. The form repeats only the id of the
//! request; who has that alone, as another site may, can do nothing with it.

use sea_orm::{ActiveValue::Set, EntityTrait, ModelTrait};
use wharf_proto::identity::v1::Account;

use crate::clients::Client;
use crate::config::millis;
use crate::failure::Failure;
use crate::scopes::Asked;
use crate::secret::{Secret, digest, same};
use crate::tables::{code, request};
use crate::{Inner, now_ms};

/// Longest parameter that is taken.
const LONGEST: usize = 2048;

/// Parameters of a request (RFC 6749, 4.1.1; RFC 7636; OpenID Connect Core, 3.1.2.1), read and checked.
pub(crate) struct Wanted {
    pub(crate) client: Client,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: String,
    pub(crate) asked: Asked,
}

/// What a client sent.
#[derive(Default, serde::Deserialize)]
pub(crate) struct Parameters {
    pub(crate) response_type: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) redirect_uri: Option<String>,
    pub(crate) state: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) code_challenge: Option<String>,
    pub(crate) code_challenge_method: Option<String>,
    pub(crate) response_mode: Option<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) request: Option<String>,
    pub(crate) request_uri: Option<String>,
}

/// Why a request is not served: told to the person in front of the browser, or to the client.
pub(crate) enum Refused {
    /// Who it is for is not sure: nothing is sent anywhere.
    Here(Failure),
    /// The client is told, at its address.
    There {
        redirect_uri: String,
        state: Option<String>,
        error: &'static str,
        description: String,
    },
}

impl Inner {
    /// Reads and checks a request. Before client and address are known to belong together nothing is redirected.
    pub(crate) async fn wanted(&self, sent: Parameters) -> Result<Wanted, Refused> {
        let here = |text: &str| Refused::Here(Failure::Invalid(text.to_owned()));
        let id = sent.client_id.as_deref().ok_or_else(|| here("found no client_id, expected one"))?;
        let client = self.client(id).await.map_err(Refused::Here)?;
        let client = client.ok_or_else(|| here("found an unknown client_id"))?;
        let redirect_uri = sent
            .redirect_uri
            .clone()
            .ok_or_else(|| here("found no redirect_uri, expected one"))?;
        if !client.may_redirect_to(&redirect_uri) {
            return Err(here("found a redirect_uri that the client has not registered"));
        }
        let state = sent.state.clone().filter(|state| state.len() <= LONGEST);
        let there = |error: &'static str, description: String| Refused::There {
            redirect_uri: redirect_uri.clone(),
            state: state.clone(),
            error,
            description,
        };
        if let Err((error, description)) = check(&sent) {
            return Err(there(error, description.to_owned()));
        }
        let asked = Asked::read(sent.scope.as_deref(), &client.scopes).map_err(|failure| there("invalid_scope", failure.to_string()))?;
        Ok(Wanted {
            client,
            redirect_uri: redirect_uri.clone(),
            state,
            nonce: sent.nonce,
            challenge: sent.code_challenge.unwrap_or_default(),
            asked,
        })
    }

    /// Keeps a request for the browser whose cookie holds `browser`, and gives its id.
    pub(crate) async fn keep_request(&self, wanted: &Wanted, browser: &Secret) -> Result<Secret, Failure> {
        let id = Secret::random()?;
        let row = request::ActiveModel {
            hash: Set(id.digest()),
            browser: Set(browser.digest()),
            client: Set(wanted.client.id.clone()),
            redirect_uri: Set(wanted.redirect_uri.clone()),
            state: Set(wanted.state.clone()),
            challenge: Set(wanted.challenge.clone()),
            nonce: Set(wanted.nonce.clone()),
            scope: Set(wanted.asked.scope.clone()),
            openid: Set(wanted.asked.openid),
            expires_at: Set(now_ms() + millis(self.config.login_seconds)),
        };
        request::Entity::insert(row).exec_without_returning(&self.db).await?;
        Ok(id)
    }

    /// The request of this id, if it is of this browser and not over.
    pub(crate) async fn request(&self, id: &str, browser: &str) -> Result<request::Model, Failure> {
        let row = request::Entity::find_by_id(digest(id)).one(&self.db).await?;
        row.filter(|row| same(&row.browser, &digest(browser)) && row.expires_at > now_ms())
            .ok_or(Failure::Missing(
                "this login has expired, or was begun in another browser: begin again",
            ))
    }

    /// The request with this digest, for a login that was begun for it by its browser.
    pub(crate) async fn request_of(&self, hash: &str) -> Result<request::Model, Failure> {
        let row = request::Entity::find_by_id(hash).one(&self.db).await?;
        row.filter(|row| row.expires_at > now_ms())
            .ok_or(Failure::Missing("this login has expired: begin again"))
    }

    /// Makes a code for somebody who has logged in, and gives the address to send the browser to. The request is over then.
    pub(crate) async fn answer(&self, request: request::Model, account: &Account, method: &str) -> Result<String, Failure> {
        let (code, now) = (Secret::random()?, now_ms());
        let row = code::ActiveModel {
            hash: Set(code.digest()),
            client: Set(request.client.clone()),
            redirect_uri: Set(request.redirect_uri.clone()),
            challenge: Set(request.challenge.clone()),
            nonce: Set(request.nonce.clone()),
            scope: Set(request.scope.clone()),
            openid: Set(request.openid),
            account: Set(account.id.clone()),
            method: Set(method.to_owned()),
            authenticated_at: Set(now),
            expires_at: Set(now + millis(self.config.code_seconds)),
            used_at: Set(None),
            session: Set(None),
        };
        // Whoever sends the form twice gets one code.
        if request.clone().delete(&self.db).await?.rows_affected != 1 {
            return Err(Failure::Missing("this login is over: begin again"));
        }
        code::Entity::insert(row).exec_without_returning(&self.db).await?;
        let answer = [("code", code.reveal())];
        Ok(self.address(&request.redirect_uri, request.state.as_deref(), &answer))
    }

    /// An address with an answer, the client's state, and who answers (RFC 9207).
    pub(crate) fn address(&self, redirect_uri: &str, state: Option<&str>, answer: &[(&str, &str)]) -> String {
        let issuer = self.config.issuer();
        let mut query = openidconnect::url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(answer);
        query.extend_pairs(state.map(|state| ("state", state)));
        query.append_pair("iss", &issuer);
        let joint = if redirect_uri.contains('?') { '&' } else { '?' };
        format!("{redirect_uri}{joint}{}", query.finish())
    }
}

fn check(sent: &Parameters) -> Result<(), (&'static str, &'static str)> {
    let all = [&sent.state, &sent.nonce, &sent.scope, &sent.code_challenge];
    if all.into_iter().flatten().any(|value| value.len() > LONGEST) {
        return Err(("invalid_request", "a parameter is longer than 2048 bytes"));
    }
    if sent.request.is_some() {
        return Err(("request_not_supported", "request objects are not supported"));
    }
    if sent.request_uri.is_some() {
        return Err(("request_uri_not_supported", "request objects are not supported"));
    }
    match sent.response_type.as_deref() {
        Some("code") => {}
        None => return Err(("invalid_request", "found no response_type, expected code")),
        Some(_) => return Err(("unsupported_response_type", "the response_type must be code")),
    }
    if sent.response_mode.as_deref().is_some_and(|mode| mode != "query") {
        return Err(("invalid_request", "the response_mode must be query"));
    }
    if sent
        .prompt
        .as_deref()
        .is_some_and(|prompt| prompt.split(' ').any(|word| word == "none"))
    {
        return Err(("login_required", "nobody is logged in here without a login"));
    }
    let is_base64url = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    match (sent.code_challenge_method.as_deref(), sent.code_challenge.as_deref()) {
        (Some("S256"), Some(challenge)) if challenge.len() == 43 && is_base64url(challenge) => Ok(()),
        (_, None) => Err(("invalid_request", "found no code_challenge, expected one (RFC 7636)")),
        (Some("S256"), _) => Err(("invalid_request", "the code_challenge must be 43 characters of base64url")),
        _ => Err(("invalid_request", "the code_challenge_method must be S256")),
    }
}
