//! Who is calling, may they, how often.
//!
//! The listener asks a [`Gatekeeper`] before any module runs. Until an authenticator exists that is
//! [`PublicOnly`]: routes marked public are served, everything else is refused.

pub mod authorizer;
pub mod gatekeeper;
pub mod principal;
pub mod rules;

use std::fmt;
use std::sync::Arc;

pub use authorizer::{Authorizer, Decision, Explanation, NoRules, Resource, Rows, Scope};
pub use gatekeeper::{Admission, Denial, Gatekeeper, PublicOnly};
pub use principal::{About, Identity, Kind, Principal};
pub use rules::{RuleSet, Rules};

/// Who lets calls in, and who says what callers may.
#[derive(Clone)]
pub struct Security {
    /// Decides about requests from outside.
    pub gatekeeper: Arc<dyn Gatekeeper>,
    /// Decides about everybody's permissions.
    pub authorizer: Arc<dyn Authorizer>,
}

impl Security {
    /// Serves public routes and nothing else; modules may do to each other what their manifests ask for.
    #[must_use]
    pub fn public_only() -> Self {
        Self {
            gatekeeper: Arc::new(PublicOnly),
            authorizer: Arc::new(NoRules),
        }
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Security")
    }
}
