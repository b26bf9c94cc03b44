//! Lets calls in by their bearer tokens and by the rules.

use std::fmt;
use std::sync::Arc;

use http::request::Parts;

use super::authenticate::{Asking, Authenticator, Identified, KeyFault, Rejected};
use super::authorizer::{Authorizer, Decision};
use super::freshness::{Freshness, Source, Standing};
use super::gatekeeper::{Admission, Denial, Gatekeeper};
use super::principal::Principal;
use crate::domain::route::Policy;
use crate::telemetry::{ActiveSpan, traces};

/// The gatekeeper of a host with module `auth`. Without that module it lets in public calls and nothing else.
#[derive(Clone)]
pub struct TokenGatekeeper {
    authenticator: Arc<Authenticator>,
    authorizer: Arc<dyn Authorizer>,
    freshness: Arc<Freshness>,
}

impl TokenGatekeeper {
    /// Over these.
    #[must_use]
    pub fn new(authenticator: Arc<Authenticator>, authorizer: Arc<dyn Authorizer>, freshness: Arc<Freshness>) -> Self {
        Self {
            authenticator,
            authorizer,
            freshness,
        }
    }

    /// Somebody came with a token that counts, as far as is known.
    fn somebody(&self, who: Principal, policy: &Policy) -> Result<Principal, Denial> {
        let is_fresh = |source| self.freshness.standing(source) == Standing::Fresh;
        if is_fresh(Source::Keys) && is_fresh(Source::Revocations) {
            return self.authorize(who, policy);
        }
        self.cannot_tell(policy)
    }

    /// Nobody can tell whether the token counts.
    fn cannot_tell(&self, policy: &Policy) -> Result<Principal, Denial> {
        match policy {
            Policy::Public => Ok(Principal::Anonymous),
            _ if self.is_without_auth() => Err(without_auth()),
            _ => Err(Denial::Unknown {
                detail: "tokens cannot be verified at this moment, try again".to_owned(),
            }),
        }
    }

    fn is_without_auth(&self) -> bool {
        self.freshness.standing(Source::Keys) == Standing::Absent
    }

    /// A step of the request of its own, as far as there is something to ask.
    fn authorize(&self, who: Principal, policy: &Policy) -> Result<Principal, Denial> {
        if matches!(policy, Policy::Public) {
            return Ok(who);
        }
        let mut step = traces::step("authorize");
        let decided = self.decide(who, policy);
        if let (Err(denial), true) = (&decided, step.is_recorded()) {
            step.fail(denial.name());
        }
        decided
    }

    fn decide(&self, who: Principal, policy: &Policy) -> Result<Principal, Denial> {
        let permission = match policy {
            Policy::Public => return Ok(who),
            _ if who.identity().is_none() => return Err(self.nobody()),
            Policy::Authenticated => return Ok(who),
            Policy::Require(permission) => permission,
        };
        match self.authorizer.holds(&who, permission) {
            Decision::Allow => Ok(who),
            Decision::Deny => Err(Denial::Forbidden {
                detail: format!("this needs the permission {permission}, which you do not hold"),
                who,
            }),
            Decision::Unknown => Err(Denial::Unknown {
                detail: "permissions cannot be checked at this moment, try again".to_owned(),
            }),
        }
    }

    /// Waits until somebody has said whose key it is.
    async fn ask(self, asking: Asking, policy: Policy, mut step: ActiveSpan) -> Result<Principal, Denial> {
        let asked = asking.await;
        if asked.is_err() {
            step.fail("rejected");
        }
        drop(step);
        match asked {
            Ok(who) => self.somebody(who, &policy),
            Err(KeyFault::Unknown) => Err(Denial::InvalidToken {
                detail: "the API key is unknown, expired or revoked".to_owned(),
            }),
            Err(KeyFault::Unavailable) => self.cannot_tell(&policy),
        }
    }

    fn nobody(&self) -> Denial {
        if self.is_without_auth() {
            return without_auth();
        }
        Denial::Unauthenticated {
            detail: "this route needs a signed-in caller: send an access token or an API key as `Authorization: Bearer ...`".to_owned(),
        }
    }
}

impl Gatekeeper for TokenGatekeeper {
    fn admit(&self, head: &Parts, policy: &Policy) -> Admission {
        let mut step = traces::step("authenticate");
        let identified = self.authenticator.identify(&head.headers);
        if matches!(identified, Identified::Rejected(_)) {
            step.fail("rejected");
        }
        Admission::Now(match identified {
            Identified::Asking(asking) => {
                return Admission::Later(Box::pin(self.clone().ask(asking, policy.clone(), step)));
            }
            Identified::Nobody => {
                drop(step);
                self.authorize(Principal::Anonymous, policy)
            }
            Identified::Somebody(who) => {
                drop(step);
                self.somebody(who, policy)
            }
            Identified::Rejected(Rejected::NoKeys) => self.cannot_tell(policy),
            Identified::Rejected(why) => Err(Denial::InvalidToken { detail: why.to_string() }),
        })
    }

    fn keeps_tokens(&self) -> bool {
        true
    }
}

impl fmt::Debug for TokenGatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenGatekeeper")
            .field("freshness", &self.freshness)
            .finish_non_exhaustive()
    }
}

fn without_auth() -> Denial {
    Denial::Unauthenticated {
        detail: "this route needs a signed-in caller, and module auth does not run on this host: only public routes are served".to_owned(),
    }
}
