//! The decision before a module runs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use http::request::Parts;

use super::principal::Principal;
use crate::domain::route::Policy;

/// An admission that has to be waited for. Dropping it gives the question up.
pub type Deciding = Pin<Box<dyn Future<Output = Result<Principal, Denial>> + Send>>;

/// What a [`Gatekeeper`] answers.
pub enum Admission {
    /// Decided at once: the way of public routes, with no allocation.
    Now(Result<Principal, Denial>),
    /// Needs to ask elsewhere first.
    Later(Deciding),
}

/// Why a call was not admitted. The sentence is shown to the client: it must not tell what it may not know.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Denial {
    /// Nobody knows who is calling: 401, `WWW-Authenticate: Bearer`, gRPC 16.
    Unauthenticated {
        /// A sentence for the client.
        detail: String,
    },
    /// A token came and does not count: the same, with `error="invalid_token"`.
    InvalidToken {
        /// A sentence for the client.
        detail: String,
    },
    /// The caller is known and may not: 403, gRPC 7.
    Forbidden {
        /// Who it is.
        who: Principal,
        /// A sentence for the client.
        detail: String,
    },
    /// Whether the caller may is not known at this moment: 503, gRPC 14.
    Unknown {
        /// A sentence for the client.
        detail: String,
    },
}

impl Denial {
    /// In a word or two.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Unauthenticated { .. } => "unauthenticated",
            Self::InvalidToken { .. } => "invalid token",
            Self::Forbidden { .. } => "forbidden",
            Self::Unknown { .. } => "unknown",
        }
    }
}

/// Authenticates and authorizes one request against the policy of its route.
pub trait Gatekeeper: Send + Sync + 'static {
    /// Decides from the head of the request; the body has not been read and the path still has the module's
    /// prefix. The answer must not borrow from the head: copy what a later decision needs.
    fn admit(&self, head: &Parts, policy: &Policy) -> Admission;

    /// Whether bearer tokens are its business alone: then no module ever sees one.
    fn keeps_tokens(&self) -> bool {
        false
    }
}

/// Serves public routes and nothing else: the gatekeeper of a host without an authenticator.
#[derive(Clone, Copy, Debug, Default)]
pub struct PublicOnly;

impl Gatekeeper for PublicOnly {
    fn admit(&self, _head: &Parts, policy: &Policy) -> Admission {
        Admission::Now(match policy {
            Policy::Public => Ok(Principal::Anonymous),
            Policy::Authenticated | Policy::Require(_) => Err(Denial::Unauthenticated {
                detail: "this route needs a signed-in caller, and no authenticator is configured on this host yet".to_owned(),
            }),
        })
    }
}

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now(answer) => f.debug_tuple("Now").field(answer).finish(),
            Self::Later(_) => f.write_str("Later(..)"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn only_public_routes_pass_without_an_authenticator() {
        let (head, ()) = http::Request::builder().uri("/x").body(()).unwrap().into_parts();
        for (policy, admitted) in [
            (Policy::Public, true),
            (Policy::Authenticated, false),
            (Policy::Require("blog.post.write".to_owned()), false),
        ] {
            let Admission::Now(answer) = PublicOnly.admit(&head, &policy) else {
                panic!("must decide at once")
            };
            assert_eq!(answer.is_ok(), admitted, "{policy:?}");
        }
    }
}
