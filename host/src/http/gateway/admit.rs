//! Who may call: what the gatekeeper says, in the words of the wire.

use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, header};

use super::{Gateway, Refusal};
use crate::http::problem::ErrorKind;
use crate::http::routes::Entry;
use crate::security::authenticate::is_bearer;
use crate::security::call_token::{Carried, WrongToken};
use crate::security::{Admission, Decision, Denial, Principal};

impl Gateway {
    /// Finds out who calls and whether they may. A bearer token is taken out of the head: no module sees one.
    pub(super) async fn admit(&self, head: &mut Parts, entry: &Entry) -> Result<Principal, Refusal> {
        if let Some(carried) = head.extensions.remove::<Result<Carried, WrongToken>>() {
            return self.admit_carried(carried, entry);
        }
        let decision = match self.gatekeeper.admit(head, &entry.policy) {
            Admission::Now(decision) => decision,
            Admission::Later(deciding) => deciding.await,
        };
        if self.gatekeeper.keeps_tokens() && head.headers.get(AUTHORIZATION).is_some_and(is_bearer) {
            head.headers.remove(header::AUTHORIZATION);
        }
        decision.map_err(refusal)
    }

    /// A call from module to module that came over a socket of this host: it says itself who calls, and for whom it is.
    fn admit_carried(&self, carried: Result<Carried, WrongToken>, entry: &Entry) -> Result<Principal, Refusal> {
        let wrong = || {
            let detail = "the token of this call between modules is wrong, too old, or for another callee";
            refusal(Denial::InvalidToken { detail: detail.to_owned() })
        };
        let (Ok(carried), Some(tokens)) = (carried, &self.calls) else {
            return Err(wrong());
        };
        if *entry.module != *carried.callee {
            return Err(wrong());
        }
        match tokens.may(&carried.principal, &entry.policy) {
            Decision::Allow => Ok(carried.principal),
            Decision::Deny => Err(match carried.principal {
                Principal::Anonymous => Refusal::new(ErrorKind::Unauthenticated, "this method needs a caller who is known"),
                who => Refusal::new(
                    ErrorKind::Forbidden,
                    format!("{} does not hold what this method needs", who.subject()),
                ),
            }),
            Decision::Unknown => Err(Refusal::new(ErrorKind::CallersUnknown, "the rules are not known at this moment")),
        }
    }
}

fn refusal(denial: Denial) -> Refusal {
    match denial {
        Denial::Unauthenticated { detail } => Refusal::new(ErrorKind::Unauthenticated, detail),
        Denial::InvalidToken { detail } => {
            // A quoted string of RFC 9110: the sentences are the host's own, and hold neither quotes nor backslashes.
            let quoted: String = detail.chars().filter(|c| !matches!(c, '"' | '\\') && !c.is_control()).collect();
            let challenge = format!("Bearer realm=\"wharf\", error=\"invalid_token\", error_description=\"{quoted}\"");
            let refusal = Refusal::new(ErrorKind::Unauthenticated, detail);
            match HeaderValue::from_str(&challenge) {
                Ok(challenge) => refusal.with(WWW_AUTHENTICATE, challenge),
                Err(_) => refusal,
            }
        }
        Denial::Forbidden { detail, .. } => Refusal::new(ErrorKind::Forbidden, detail),
        Denial::Unknown { detail } => Refusal::new(ErrorKind::CallersUnknown, detail),
    }
}
