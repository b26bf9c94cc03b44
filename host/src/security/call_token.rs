//! Who calls, for a call between modules that leaves the process: a token of the host for one callee and one path.
//!
//! A JWT with HS256 (RFC 7519, RFC 8725) in the header field `wharf-call`, signed with a key that is made when the host starts and
//! never leaves it. It is good for at most a minute. The listener verifies it before it takes out all other `wharf-*` fields. A user's
//! own token never travels between modules.

mod above;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::request::Parts;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(crate) use above::OnItsWay;

use super::principal::{About, Kind, Principal};
use super::{Authorizer, Decision};
use crate::domain::route::Policy;
use crate::http::request_id::RequestId;
use crate::modules::belongings::Belongings;
use crate::modules::endpoint::CallInfo;

/// The header field.
pub const WHARF_CALL: HeaderName = HeaderName::from_static("wharf-call");

/// How long a token is good for: as long as a request may take to arrive.
const LIFE: Duration = Duration::from_secs(60);
const ISSUER: &str = "wharf-host";

/// Makes and verifies tokens of this host.
pub struct CallTokens {
    sign: EncodingKey,
    verify: DecodingKey,
    authorizer: Arc<dyn Authorizer>,
    above: above::CallsAbove,
}

/// What a verified token says.
#[derive(Clone, Debug)]
pub(crate) struct Carried {
    pub(crate) callee: String,
    pub(crate) caller: Option<String>,
    pub(crate) request_id: Option<RequestId>,
    /// Where the outermost call came from.
    pub(crate) peer: Option<SocketAddr>,
    pub(crate) principal: Principal,
    /// Below which calls it is.
    pub(crate) belongings: Belongings,
}

/// A token that is not one of this host, for this path, at this time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WrongToken;

#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    exp: u64,
    path: String,
    caller: Option<String>,
    request_id: String,
    peer: Option<SocketAddr>,
    /// What the calls above keep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    above: Option<u64>,
    who: Option<Who>,
}

#[derive(Serialize, Deserialize)]
struct Who {
    kind: String,
    id: String,
    tenant: String,
    name: String,
    session: Option<String>,
    client: Option<String>,
    scopes: Option<Vec<String>>,
    authenticated_at: Option<i64>,
    grants: Vec<String>,
}

impl Carried {
    /// The module that calls, and what the calls above keep.
    pub(crate) fn above(&self) -> (Option<String>, Belongings) {
        (self.caller.clone(), self.belongings.clone())
    }
}

impl CallTokens {
    /// With a new key.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(authorizer: Arc<dyn Authorizer>) -> Result<Self, getrandom::Error> {
        let mut key = Zeroizing::new([0_u8; 32]);
        getrandom::fill(&mut *key)?;
        Ok(Self {
            sign: EncodingKey::from_secret(&*key),
            verify: DecodingKey::from_secret(&*key),
            authorizer,
            above: above::CallsAbove::default(),
        })
    }

    /// Keeps what the calls above this one have, until the result is dropped: a token made with it leads there.
    pub(crate) fn keep_above(&self, info: &CallInfo) -> Option<OnItsWay> {
        self.above.keep(&info.belongings)
    }

    /// A token for one call.
    pub(crate) fn seal(&self, callee: &str, path: &str, info: &CallInfo, above: Option<&OnItsWay>) -> Option<HeaderValue> {
        self.seal_until(callee, path, info, above, now() + LIFE.as_secs())
    }

    fn seal_until(&self, callee: &str, path: &str, info: &CallInfo, above: Option<&OnItsWay>, exp: u64) -> Option<HeaderValue> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: callee.to_owned(),
            exp,
            path: path.to_owned(),
            caller: info.caller.clone(),
            request_id: info.request_id.as_str().to_owned(),
            peer: info.peer,
            above: above.map(OnItsWay::number),
            who: Who::of(&info.principal),
        };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign).ok()?;
        let mut value = HeaderValue::try_from(token).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// What the token of a request says, if it has one.
    pub(crate) fn open(&self, head: &Parts) -> Option<Result<Carried, WrongToken>> {
        let value = head.headers.get(WHARF_CALL)?;
        Some(self.read(value, head.uri.path()).ok_or(WrongToken))
    }

    fn read(&self, value: &HeaderValue, path: &str) -> Option<Carried> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.leeway = 0;
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "iss", "aud"]);
        // The callee is compared when the route is known.
        rules.validate_aud = false;
        let claims = jsonwebtoken::decode::<Claims>(value.as_bytes(), &self.verify, &rules).ok()?.claims;
        if claims.path != path || claims.exp > now() + LIFE.as_secs() {
            return None;
        }
        Some(Carried {
            callee: claims.aud,
            caller: claims.caller,
            request_id: RequestId::parse(claims.request_id.as_bytes()),
            peer: claims.peer,
            principal: match claims.who {
                Some(who) => who.principal()?,
                None => Principal::Anonymous,
            },
            belongings: self.above.of(claims.above),
        })
    }

    /// The same question as at the listener, for a caller who is known already.
    pub(crate) fn may(&self, who: &Principal, policy: &Policy) -> Decision {
        match (policy, who) {
            (Policy::Public, _) | (Policy::Authenticated, Principal::Known(_)) => Decision::Allow,
            (Policy::Require(permission), Principal::Known(_)) => self.authorizer.holds(who, permission),
            (_, Principal::Anonymous) => Decision::Deny,
        }
    }
}

impl Who {
    fn of(principal: &Principal) -> Option<Self> {
        let identity = principal.identity()?;
        Some(Self {
            kind: identity.kind.name().to_owned(),
            id: identity.id.clone(),
            tenant: identity.tenant.clone(),
            name: identity.name.clone(),
            session: identity.session.clone(),
            client: identity.client.clone(),
            scopes: identity.scopes.as_ref().map(|scopes| scopes.to_vec()),
            authenticated_at: identity.authenticated_at.map(Timestamp::as_second),
            grants: identity.grants.to_vec(),
        })
    }

    fn principal(self) -> Option<Principal> {
        let kinds = [Kind::User, Kind::Service, Kind::Module, Kind::Host];
        let kind = kinds.into_iter().find(|kind| kind.name() == self.kind)?;
        let about = About {
            tenant: self.tenant,
            name: self.name,
            session: self.session,
            client: self.client,
            scopes: self.scopes,
            authenticated_at: self.authenticated_at.and_then(|at| Timestamp::from_second(at).ok()),
            grants: self.grants,
        };
        Some(Principal::known(kind, &self.id, about))
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

impl fmt::Debug for CallTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CallTokens")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::security::NoRules;

    const PATH: &str = "/greeter.v1.Greeter/Hello";

    fn tokens() -> CallTokens {
        CallTokens::new(Arc::new(NoRules)).unwrap()
    }

    fn info(principal: Principal) -> CallInfo {
        CallInfo {
            request_id: RequestId::parse(b"req-1").unwrap(),
            trace_id: [0; 16],
            span_id: [0; 8],
            trace_flags: 0,
            peer: Some("9.9.9.9:1".parse().unwrap()),
            deadline: None,
            deadline_is_named: false,
            caller: Some("blog".to_owned()),
            principal,
            belongings: Belongings::default(),
        }
    }

    #[test]
    fn who_calls_arrives_as_it_left() {
        let tokens = tokens();
        let about = About {
            tenant: "acme".to_owned(),
            scopes: Some(vec!["blog.*".to_owned()]),
            session: Some("s".to_owned()),
            authenticated_at: Some(Timestamp::from_second(60).unwrap()),
            ..About::default()
        };
        for who in [
            Principal::Anonymous,
            Principal::host(),
            Principal::module("blog", vec!["identity.*".to_owned()]),
            Principal::known(Kind::User, "1", about),
        ] {
            let value = tokens.seal("greeter", PATH, &info(who.clone()), None).unwrap();
            let read = tokens.read(&value, PATH).unwrap();
            assert_eq!(read.principal, who);
            assert_eq!((read.callee.as_str(), read.caller.as_deref()), ("greeter", Some("blog")));
            assert_eq!(read.request_id.unwrap().as_str(), "req-1");
            assert_eq!(read.peer.unwrap().to_string(), "9.9.9.9:1");
        }
    }

    #[test]
    fn what_calls_above_keep_is_found_until_the_call_is_answered() {
        let (tokens, above) = (tokens(), Belongings::default());
        let _kept = above.get_or_make(|| 7_u32);
        let mut info = info(Principal::host());
        info.belongings = above.below("blog");
        let way = tokens.keep_above(&info).unwrap();
        let value = tokens.seal("greeter", PATH, &info, Some(&way)).unwrap();
        let found = |value: &HeaderValue| {
            let read = tokens.read(value, PATH).unwrap();
            read.belongings.any_above("blog", |kept: &u32| *kept == 7)
        };
        assert!(found(&value));
        drop(way);
        assert!(!found(&value));
        info.belongings = Belongings::default();
        assert!(
            tokens.keep_above(&info).is_none(),
            "nothing is kept for a call that has nothing above it"
        );
    }

    #[test]
    fn a_token_of_another_key_path_or_time_is_wrong() {
        let tokens = tokens();
        let info = info(Principal::host());
        let value = tokens.seal("greeter", PATH, &info, None).unwrap();
        assert!(tokens.read(&value, "/greeter.v1.Greeter/Statistics").is_none());
        assert!(self::tokens().read(&value, PATH).is_none());
        for exp in [now() - 1, now() + 120] {
            let value = tokens.seal_until("greeter", PATH, &info, None, exp).unwrap();
            assert!(tokens.read(&value, PATH).is_none(), "{exp}");
        }
        let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJ3aGFyZi1ob3N0In0.";
        assert!(tokens.read(&HeaderValue::from_static(unsigned), PATH).is_none());
    }
}
