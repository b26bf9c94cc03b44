//! What is in tokens, and how they are verified here.

use jsonwebtoken::{Validation, decode, decode_header};
use serde::{Deserialize, Serialize};
use wharf_proto::identity::v1::Account;

use crate::failure::Failure;
use crate::{Inner, new_id, now_ms};

/// `typ` of access tokens (RFC 9068).
pub(crate) const ACCESS: &str = "at+jwt";
/// Longest token that is looked at.
const LONGEST: usize = 8 * 1024;

/// Claims of an access token (RFC 9068).
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) iss: String,
    pub(crate) aud: String,
    /// Id of the account.
    pub(crate) sub: String,
    /// `user` or `service`.
    pub(crate) kind: String,
    pub(crate) tenant: String,
    /// Session; a service account that showed its secret has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sid: Option<String>,
    pub(crate) client_id: String,
    pub(crate) jti: String,
    pub(crate) iat: i64,
    /// `iat` in milliseconds, a claim of Wharf's own: so that a revocation can tell tokens of one second apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) iat_ms: Option<i64>,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    /// When its subject proved who it is.
    pub(crate) auth_time: i64,
    pub(crate) name: String,
    /// Permissions it is restricted to, as globs; without it all of its subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) scope: Option<String>,
}

/// What an access token is made for.
pub(crate) struct Bearer<'a> {
    pub(crate) account: &'a Account,
    pub(crate) client: &'a str,
    pub(crate) session: Option<&'a str>,
    pub(crate) scope: Option<&'a str>,
    pub(crate) authenticated_at: i64,
}

/// Claims of an ID token (OpenID Connect Core, 2).
#[derive(Serialize)]
struct IdClaims<'a> {
    iss: String,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    sid: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    email: &'a str,
    email_verified: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
}

impl Claims {
    /// When it was issued, in milliseconds. A token that says only the second, or two different ones, counts from the second's
    /// beginning: rather too old than too young.
    pub(crate) fn issued_ms(&self) -> i64 {
        let second = self.iat.saturating_mul(1000);
        self.iat_ms.filter(|ms| ms.div_euclid(1000) == self.iat).unwrap_or(second)
    }
}

impl Inner {
    /// An access token.
    pub(crate) fn access_token(&self, bearer: &Bearer<'_>) -> Result<String, Failure> {
        let now_ms = now_ms();
        let now = now_ms / 1000;
        let claims = Claims {
            iss: self.config.issuer(),
            aud: self.config.audience(),
            sub: bearer.account.id.clone(),
            kind: bearer.account.kind.clone(),
            tenant: bearer.account.tenant.clone(),
            sid: bearer.session.map(str::to_owned),
            client_id: bearer.client.to_owned(),
            jti: new_id(),
            iat: now,
            iat_ms: Some(now_ms),
            nbf: now,
            exp: now + i64::try_from(self.config.access_token_seconds).unwrap_or(i64::MAX / 4),
            auth_time: bearer.authenticated_at / 1000,
            name: bearer.account.name.clone(),
            scope: bearer.scope.map(str::to_owned),
        };
        self.feed.keys().sign(ACCESS, &claims)
    }

    /// An ID token for a client that asked for `openid`.
    pub(crate) fn id_token(&self, bearer: &Bearer<'_>, nonce: Option<&str>) -> Result<String, Failure> {
        let now = now_ms() / 1000;
        let claims = IdClaims {
            iss: self.config.issuer(),
            sub: &bearer.account.id,
            aud: bearer.client,
            exp: now + i64::try_from(self.config.access_token_seconds).unwrap_or(i64::MAX / 4),
            iat: now,
            auth_time: bearer.authenticated_at / 1000,
            sid: bearer.session.unwrap_or_default(),
            name: &bearer.account.name,
            email: &bearer.account.email,
            email_verified: bearer.account.email_verified,
            nonce,
        };
        self.feed.keys().sign("JWT", &claims)
    }

    /// The claims of an access token that counts: signed by a key of ours with its algorithm, for this installation, in time, and
    /// not revoked. None for everything else.
    pub(crate) fn verify(&self, token: &str) -> Option<Claims> {
        if token.len() > LONGEST {
            return None;
        }
        let header = decode_header(token).ok()?;
        if header
            .typ
            .as_deref()
            .map(str::to_ascii_lowercase)
            .is_none_or(|typ| typ != ACCESS && typ != "application/at+jwt")
        {
            return None;
        }
        let keys = self.feed.keys();
        let key = keys.find(header.kid.as_deref()?)?;
        // The algorithm is the key's, whatever the token says (RFC 8725, 3.1).
        let mut validation = Validation::new(key.algorithm);
        validation.set_issuer(&[self.config.issuer()]);
        validation.set_audience(&[self.config.audience()]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub", "nbf"]);
        validation.validate_nbf = true;
        validation.leeway = 0;
        let claims = decode::<Claims>(token, &key.public, &validation).ok()?.claims;
        (!self.feed.revoked().covers(&claims)).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn scope_and_session_are_left_out_when_there_is_none() {
        let claims = Claims {
            iss: "i".to_owned(),
            aud: "a".to_owned(),
            sub: "s".to_owned(),
            kind: "service".to_owned(),
            tenant: "default".to_owned(),
            sid: None,
            client_id: "s".to_owned(),
            jti: "j".to_owned(),
            iat: 1,
            iat_ms: None,
            nbf: 1,
            exp: 2,
            auth_time: 1,
            name: String::new(),
            scope: None,
        };
        let text = serde_json::to_string(&claims).unwrap();
        assert!(
            !text.contains("scope") && !text.contains("sid") && !text.contains("iat_ms"),
            "{text}"
        );
        for (iat_ms, issued) in [(None, 1000), (Some(1999), 1999), (Some(2000), 1000), (Some(999), 1000)] {
            assert_eq!(Claims { iat_ms, ..claims.clone() }.issued_ms(), issued, "{iat_ms:?}");
        }
    }
}
