//! Access tokens: JWTs of RFC 9068, checked as RFC 8725 asks.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;

use super::bearer::LONGEST;
use super::keys::KeyRing;
use super::verified::Known;
use crate::security::principal::{About, Kind, Principal};

/// Why a token does not count. What is shown to the client says nothing that the token does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejected {
    /// More than one, so nobody knows which counts.
    #[error("found more than one Authorization header field, expected one")]
    Twice,
    /// Longer than any real one.
    #[error("the token is longer than {LONGEST} bytes")]
    TooLong,
    /// Not `header.claims.signature`, or not JSON.
    #[error("the token is malformed")]
    Malformed,
    /// Not `at+jwt`: an ID token or something else.
    #[error("the token is not an access token, expected type at+jwt")]
    Type,
    /// `none`, `HS256`, or another one than that of the key.
    #[error("the token is signed with an algorithm that is not accepted")]
    Algorithm,
    /// No `kid`, or one that nobody published.
    #[error("the token is signed with a key that is not known")]
    UnknownKey,
    /// Another issuer's.
    #[error("the token was issued by somebody else")]
    Issuer,
    /// For others.
    #[error("the token is for another audience")]
    Audience,
    /// The signature is not right.
    #[error("the signature of the token is not valid")]
    Signature,
    /// A claim is missing or of the wrong kind.
    #[error("a claim of the token is missing or is not what it should be")]
    Claims,
    /// `exp` has passed.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` has not come yet.
    #[error("the token is not valid yet")]
    NotYet,
    /// It, its session or its subject was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// No source of keys has spoken yet.
    #[error("no keys are known")]
    NoKeys,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    typ: Option<String>,
    kid: Option<String>,
    /// Extensions that have to be understood: none is.
    crit: Option<serde_json::Value>,
}

/// The claims that this host reads. A claim that comes twice is an error.
#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: f64,
    iat: f64,
    /// The same in milliseconds, where the issuer says so.
    iat_ms: Option<i64>,
    nbf: Option<f64>,
    jti: String,
    kind: String,
    tenant: String,
    sid: Option<String>,
    client_id: Option<String>,
    scope: Option<String>,
    name: Option<String>,
    auth_time: Option<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

/// Checks everything but revocations.
pub(super) fn verify(token: &str, keys: &KeyRing, now: i64, leeway: i64) -> Result<Known, Rejected> {
    let header = header(token)?;
    // Which key counts is decided by its id among those that were published, never by what a token brings along.
    let id = header.kid.as_deref().ok_or(Rejected::UnknownKey)?;
    if !matches!(header.alg.as_str(), "EdDSA" | "ES256") {
        return Err(Rejected::Algorithm);
    }
    let key = keys.get(id).ok_or(Rejected::UnknownKey)?;
    if header.alg != key.algorithm {
        return Err(Rejected::Algorithm);
    }
    let typ = header.typ.as_deref().unwrap_or_default();
    if !typ.eq_ignore_ascii_case("at+jwt") && !typ.eq_ignore_ascii_case("application/at+jwt") {
        return Err(Rejected::Type);
    }
    let claims = jsonwebtoken::decode::<Claims>(token, &key.key, &key.validation)
        .map_err(|error| rejected(error.kind()))?
        .claims;
    claims.check(keys, now, leeway)?;
    let key = key.which(id);
    claims.known(key)
}

fn header(token: &str) -> Result<Header, Rejected> {
    if token.len() > LONGEST {
        return Err(Rejected::TooLong);
    }
    if token.bytes().filter(|byte| *byte == b'.').count() != 2 {
        return Err(Rejected::Malformed);
    }
    let (first, _) = token.split_once('.').ok_or(Rejected::Malformed)?;
    let bytes = URL_SAFE_NO_PAD.decode(first).map_err(|_| Rejected::Malformed)?;
    let header: Header = serde_json::from_slice(&bytes).map_err(|_| Rejected::Malformed)?;
    match header.crit {
        Some(_) => Err(Rejected::Malformed),
        None => Ok(header),
    }
}

fn rejected(error: &jsonwebtoken::errors::ErrorKind) -> Rejected {
    use jsonwebtoken::errors::ErrorKind as Why;
    match error {
        Why::InvalidIssuer => Rejected::Issuer,
        Why::InvalidAudience => Rejected::Audience,
        Why::InvalidSignature => Rejected::Signature,
        Why::InvalidAlgorithm | Why::InvalidAlgorithmName => Rejected::Algorithm,
        Why::MissingRequiredClaim(_) | Why::Json(_) => Rejected::Claims,
        Why::ExpiredSignature => Rejected::Expired,
        Why::ImmatureSignature => Rejected::NotYet,
        _ => Rejected::Malformed,
    }
}

impl Claims {
    fn check(&self, keys: &KeyRing, now: i64, leeway: i64) -> Result<(), Rejected> {
        if self.iss != keys.issuer {
            return Err(Rejected::Issuer);
        }
        let is_for_us = match &self.aud {
            Audience::One(one) => *one == keys.audience,
            Audience::Many(many) => many.contains(&keys.audience),
        };
        if !is_for_us {
            return Err(Rejected::Audience);
        }
        if now >= seconds(self.exp).saturating_add(leeway) {
            return Err(Rejected::Expired);
        }
        let latest = now.saturating_add(leeway);
        if seconds(self.iat) > latest || self.nbf.is_some_and(|at| seconds(at) > latest) {
            return Err(Rejected::NotYet);
        }
        let is_name = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name(&self.sub) || !is_name(&self.jti) || !is_name(&self.tenant) {
            return Err(Rejected::Claims);
        }
        Ok(())
    }

    /// When it was issued, in milliseconds. Two claims that do not agree count as the earlier one: a token never gets younger than
    /// it says.
    #[allow(clippy::cast_possible_truncation, reason = "a float outside of the range becomes its end")]
    fn issued_ms(&self) -> i64 {
        let said = (self.iat * 1000.0).floor() as i64;
        self.iat_ms.filter(|ms| ms.div_euclid(1000) == seconds(self.iat)).unwrap_or(said)
    }

    fn known(self, key: String) -> Result<Known, Rejected> {
        // A token never speaks for the host or a module, whoever signed it.
        let kind = match self.kind.as_str() {
            "user" => Kind::User,
            "service" => Kind::Service,
            _ => return Err(Rejected::Claims),
        };
        let issued = self.issued_ms();
        let scopes = self.scope.as_deref();
        let about = About {
            tenant: self.tenant,
            name: self.name.unwrap_or_default(),
            session: self.sid,
            client: self.client_id,
            scopes: scopes.map(|scope| scope.split_ascii_whitespace().map(str::to_owned).collect()),
            authenticated_at: self.auth_time.and_then(|at| Timestamp::from_second(seconds(at)).ok()),
            grants: Vec::new(),
        };
        let principal = Principal::known(kind, &self.sub, about);
        Ok(Known::new(principal, seconds(self.exp), issued, self.jti, key))
    }
}

/// A NumericDate, which may have a fraction.
#[allow(clippy::cast_possible_truncation, reason = "a float outside of the range becomes its end")]
fn seconds(date: f64) -> i64 {
    date.floor() as i64
}
