//! Who may call and how often: what the gatekeeper and the rate limits say, in the words of the wire.

use http::HeaderValue;
use http::header::{AUTHORIZATION, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;

use super::{Gateway, Refusal};
use crate::http::problem::ErrorKind;
use crate::http::routes::Entry;
use crate::modules::endpoint::CallInfo;
use crate::security::authenticate::is_bearer;
use crate::security::call_token::{Carried, WrongToken};
use crate::security::denials::Denied;
use crate::security::rates::{Counted, RATE_LIMIT, RateFields};
use crate::security::{Admission, Decision, Denial, Principal};

impl Gateway {
    /// Counts a request before anything is known of it but its address. Calls between modules were counted when they came.
    pub(super) fn count_address(&self, head: &Parts, info: &CallInfo) -> Result<(), Refusal> {
        if let Some(Ok(_)) = head.extensions.get::<Result<Carried, WrongToken>>() {
            return Ok(());
        }
        match self.rates.address(info.peer.map(|peer| peer.ip())) {
            Counted::Over(fields) => {
                self.tell(&Principal::Anonymous, info, head.method.as_str(), "", ErrorKind::TooManyRequests);
                Err(too_many(&fields))
            }
            Counted::Free | Counted::Within(_) | Counted::Uncounted => Ok(()),
        }
    }

    /// Finds out who calls and whether they may. A bearer token is taken out of the head: no module sees one.
    pub(super) async fn admit(&self, head: &mut Parts, entry: &Entry, info: &CallInfo) -> Result<Principal, Refusal> {
        if let Some(carried) = head.extensions.remove::<Result<Carried, WrongToken>>() {
            let who = carried.as_ref().map(|carried| carried.principal.clone()).unwrap_or_default();
            return self.admit_carried(carried, entry).inspect_err(|refusal| {
                if refusal.kind != ErrorKind::CallersUnknown {
                    self.tell(&who, info, head.method.as_str(), &entry.template, refusal.kind);
                }
            });
        }
        let decision = match self.in_request(info, || self.gatekeeper.admit(head, &entry.policy)) {
            Admission::Now(decision) => decision,
            Admission::Later(deciding) => self.steps_of(info, deciding).await,
        };
        if self.gatekeeper.keeps_tokens() && head.headers.get(AUTHORIZATION).is_some_and(is_bearer) {
            head.headers.remove(AUTHORIZATION);
        }
        decision.map_err(|denial| {
            let nobody = Principal::Anonymous;
            let who = if let Denial::Forbidden { who, .. } = &denial {
                who.clone()
            } else {
                nobody
            };
            let refusal = refusal(denial);
            if refusal.kind != ErrorKind::CallersUnknown {
                self.tell(&who, info, head.method.as_str(), &entry.template, refusal.kind);
            }
            refusal
        })
    }

    /// Counts a call by its caller. The fields are for answers of routes that have a class of their own.
    pub(super) async fn count_caller(&self, head: &Parts, entry: &Entry, info: &CallInfo) -> Result<Option<RateFields>, Refusal> {
        let address = info.peer.map(|peer| peer.ip());
        let class = entry.rate_class.as_deref();
        let mut step = self.step(info, "rate limit");
        if let (Some(class), true) = (class, step.is_recorded()) {
            step.set("wharf.rate.class", class.to_owned());
        }
        match self.rates.caller(&info.principal, address, class).wait().await {
            Counted::Free => Ok(None),
            Counted::Within(fields) => Ok(class.map(|_| fields)),
            Counted::Over(fields) => {
                step.fail("over the limit");
                let who = &info.principal;
                self.tell(who, info, head.method.as_str(), &entry.template, ErrorKind::TooManyRequests);
                Err(too_many(&fields))
            }
            Counted::Uncounted => Err(Refusal::new(
                ErrorKind::CallersUnknown,
                "calls cannot be counted at this moment, try again",
            )),
        }
    }

    fn tell(&self, who: &Principal, info: &CallInfo, method: &str, route: &str, kind: ErrorKind) {
        if let Some(denied) = &self.denied {
            denied.denied(&Denied {
                who,
                address: info.peer.map(|peer| peer.ip()),
                method,
                route,
                status: kind.row().status.as_u16(),
                request_id: &info.request_id,
            });
        }
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

fn too_many(fields: &RateFields) -> Refusal {
    let seconds = fields.retry_after();
    let detail = format!(
        "more calls than the rate class {:?} allows, try again in {seconds} s",
        fields.class()
    );
    let mut told = http::HeaderMap::new();
    fields.write(&mut told);
    let mut refusal = Refusal::new(ErrorKind::TooManyRequests, detail).with(RETRY_AFTER, HeaderValue::from(seconds));
    debug_assert!(told.contains_key(RATE_LIMIT));
    for (name, value) in &told {
        refusal = refusal.with(name.clone(), value.clone());
    }
    refusal
}
