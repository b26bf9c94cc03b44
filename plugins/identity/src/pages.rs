//! Pages for people who follow a link: plain forms that work without a script, under a policy that allows none.

mod document;
mod html;

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use wharf_sdk::extract::{Form, Path};
use wharf_sdk::{Routes, get};

use self::html::{Field, Page};
use crate::Identity;
use crate::error::Error;
use crate::links::Purpose;
use crate::registration::Acceptance;

pub(crate) use document::document;

/// What the forms send.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answers {
    email: String,
    name: String,
    password: String,
}

pub(crate) fn routes() -> Routes<Identity> {
    Routes::new()
        .route("/invitations/{token}", get(show_invitation).post(accept))
        .public()
        .rate_class("login")
        .route("/resets/{token}", get(show_reset).post(reset))
        .public()
        .rate_class("login")
        .route("/verifications/{token}", get(show_verification).post(verify))
        .public()
        .rate_class("login")
}

async fn show_invitation(State(identity): State<Arc<Identity>>, Path(token): Path<String>) -> Response {
    invitation(&identity, &token, &Answers::default(), None).await
}

async fn accept(State(identity): State<Arc<Identity>>, Path(token): Path<String>, Form(answers): Form<Answers>) -> Response {
    let accepted = Acceptance {
        token: &token,
        password: &answers.password,
        name: &answers.name,
        email: &answers.email,
    };
    match identity.accept_invitation(accepted).await {
        Ok(user) => done(
            "Your account is ready",
            &format!("You can log in as {} now.", user.email.unwrap_or_default()),
        ),
        Err(error) if is_mendable(&error) => invitation(&identity, &token, &answers, Some(&error)).await,
        Err(error) => failed(error),
    }
}

async fn show_reset(State(identity): State<Arc<Identity>>, Path(token): Path<String>) -> Response {
    match identity.links.look(&[Purpose::Reset], &token).await {
        Ok(_) => form(new_password(), None),
        Err(error) => failed(error),
    }
}

async fn reset(State(identity): State<Arc<Identity>>, Path(token): Path<String>, Form(answers): Form<Answers>) -> Response {
    match identity.reset_password(&token, &answers.password).await {
        Ok(()) => done("Your password was changed", "You can log in with the new one now."),
        Err(error) if is_mendable(&error) => form(new_password(), Some(&error)),
        Err(error) => failed(error),
    }
}

/// A button, since programs that look at mails follow links and must not use them up.
async fn show_verification(State(identity): State<Arc<Identity>>, Path(token): Path<String>) -> Response {
    match identity.links.look(&[Purpose::Verify], &token).await {
        Ok((_, row)) => form(
            Page {
                title: "Confirm your e-mail address",
                text: format!("Is {} your address?", row.email.unwrap_or_default()),
                fields: Vec::new(),
                button: "Confirm",
            },
            None,
        ),
        Err(error) => failed(error),
    }
}

async fn verify(State(identity): State<Arc<Identity>>, Path(token): Path<String>) -> Response {
    match identity.verify_email(&token).await {
        Ok(()) => done("Thank you", "Your e-mail address is confirmed."),
        Err(error) => failed(error),
    }
}

async fn invitation(identity: &Identity, token: &str, answers: &Answers, error: Option<&Error>) -> Response {
    let (purpose, row) = match identity.links.look(&[Purpose::Invite, Purpose::Administrator], token).await {
        Ok(found) => found,
        Err(error) => return failed(error),
    };
    let mut fields = Vec::new();
    if row.email.is_none() {
        fields.push(Field::new("email", "email", "E-mail address", &answers.email, "username", true));
    }
    fields.push(Field::new("text", "name", "Your name", &answers.name, "name", false));
    fields.push(Field::new("password", "password", "Password", "", "new-password", true));
    let as_what = match purpose {
        Purpose::Administrator => "the administrator of this installation",
        _ => "a user",
    };
    let page = Page {
        title: "Accept the invitation",
        text: match &row.email {
            Some(email) => format!("You become {as_what}, as {email}."),
            None => format!("You become {as_what}."),
        },
        fields,
        button: "Accept",
    };
    form(page, error)
}

fn new_password() -> Page<'static> {
    Page {
        title: "Choose a new password",
        text: "A phrase of a few words is easy to keep in mind and hard to guess.".to_owned(),
        fields: vec![Field::new("password", "password", "New password", "", "new-password", true)],
        button: "Set the password",
    }
}

/// What people can mend in the form.
fn is_mendable(error: &Error) -> bool {
    matches!(error, Error::Invalid(_) | Error::Exists(_))
}

fn form(page: Page<'_>, error: Option<&Error>) -> Response {
    let status = if error.is_some() {
        StatusCode::UNPROCESSABLE_ENTITY
    } else {
        StatusCode::OK
    };
    answer(status, html::form(&page, error.map(ToString::to_string).as_deref()))
}

fn done(title: &str, text: &str) -> Response {
    answer(StatusCode::OK, html::message(title, text))
}

fn failed(error: Error) -> Response {
    let (status, text) = match &error {
        Error::State(text) => (StatusCode::GONE, text.clone()),
        Error::Unavailable(text) => (StatusCode::SERVICE_UNAVAILABLE, text.clone()),
        _ => return error.problem().into_response(),
    };
    answer(status, html::message("That did not work", &text))
}

fn answer(status: StatusCode, html: String) -> Response {
    let mut response = (status, html).into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&html::policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
