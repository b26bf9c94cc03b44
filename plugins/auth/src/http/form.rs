//! Forms of OAuth, and who sent them.

use axum::extract::rejection::FormRejection;
use axum::extract::{Form, FromRequest, Request};
use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;

use super::errors::OAuthError;
use crate::failure::Failure;
use crate::grants::Credentials;

/// A form whose parameters are each there once at most (RFC 6749, 3.2).
pub(crate) struct OAuthForm<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for OAuthForm<T> {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        match Form::<T>::from_request(request, state).await {
            Ok(Form(form)) => Ok(Self(form)),
            // What was sent may be a secret: it is not repeated.
            Err(FormRejection::InvalidFormContentType(_)) => {
                Err(OAuthError::invalid("expected a body of application/x-www-form-urlencoded"))
            }
            Err(_) => Err(OAuthError::invalid("a parameter is missing, repeated or malformed")),
        }
    }
}

/// The client: by HTTP Basic, or by parameters, not by both (RFC 6749, 2.3).
pub(crate) fn credentials(headers: &HeaderMap, id: Option<&str>, secret: Option<&str>) -> Result<Credentials, OAuthError> {
    let Some(header) = headers.get(header::AUTHORIZATION) else {
        let id = id.ok_or_else(|| OAuthError::invalid("found no client_id, expected one, or HTTP Basic"))?;
        return Ok(Credentials {
            id: id.to_owned(),
            secret: secret.map(str::to_owned),
        });
    };
    let shown = basic(header.as_bytes()).ok_or(OAuthError(Failure::Client))?;
    if secret.is_some() || id.is_some_and(|id| id != shown.id) {
        return Err(OAuthError::invalid(
            "found client credentials in the header and in the body, expected one of them",
        ));
    }
    Ok(shown)
}

/// Both parts are form-encoded (RFC 6749, 2.3.1).
fn basic(header: &[u8]) -> Option<Credentials> {
    let (scheme, encoded) = std::str::from_utf8(header).ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = decoded.split_once(':')?;
    Some(Credentials {
        id: decoded_part(id)?,
        secret: Some(decoded_part(secret)?),
    })
}

fn decoded_part(text: &str) -> Option<String> {
    if text.contains(['&', '=']) {
        return None;
    }
    let form = format!("v={text}");
    let (_, value) = openidconnect::url::form_urlencoded::parse(form.as_bytes()).next()?;
    Some(value.into_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn basic_header(text: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, format!("Basic {}", STANDARD.encode(text)).parse().unwrap());
        headers
    }

    #[test]
    fn a_client_shows_its_secret_in_one_place() {
        let shown = credentials(&basic_header("an%20id:a%3Ab+c"), None, None).unwrap();
        assert_eq!((shown.id.as_str(), shown.secret.as_deref()), ("an id", Some("a:b c")));
        let shown = credentials(&HeaderMap::new(), Some("id"), Some("secret")).unwrap();
        assert_eq!((shown.id.as_str(), shown.secret.as_deref()), ("id", Some("secret")));
        assert!(credentials(&basic_header("id:s"), None, Some("s")).is_err());
        assert!(credentials(&basic_header("id:s"), Some("other"), None).is_err());
        assert!(credentials(&basic_header("id:s"), Some("id"), None).is_ok());
        assert!(credentials(&HeaderMap::new(), None, Some("s")).is_err());
        assert!(credentials(&basic_header("nothing"), None, None).is_err());
    }
}
