//! Who is calling, may they, how often.
//!
//! In reading order: [`principal`] is whoever calls, [`authenticate`] makes one of a token, [`authorizer`] says what they may,
//! [`gatekeeper`] is what the listener asks before any module runs. [`sources`] keeps all of them up to date with the core
//! modules, [`freshness`] knows how old that is, and [`current`] refuses to go by what is too old.

pub mod authenticate;
pub mod authorizer;
pub mod call_token;
pub mod current;
pub mod denials;
pub mod freshness;
pub mod gatekeeper;
pub mod principal;
pub mod rates;
pub mod record;
pub mod rules;
pub mod sources;
pub mod token_gatekeeper;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use authenticate::Authenticator;
pub use authorizer::{Authorizer, Decision, Explanation, NoRules, Resource, Rows, Scope};
pub use call_token::CallTokens;
pub use current::Current;
pub use freshness::{Freshness, Source, SourceStatus, Standing};
pub use gatekeeper::{Admission, Denial, Gatekeeper, PublicOnly};
pub use principal::{About, Identity, Kind, Principal};
pub use rates::RateLimits;
pub use rules::{RuleSet, Rules};
pub use sources::Sources;
pub use token_gatekeeper::TokenGatekeeper;

use crate::ports::clock::Clock;

/// Who lets calls in, and who says what callers may.
#[derive(Clone)]
pub struct Security {
    /// Decides about requests from outside.
    pub gatekeeper: Arc<dyn Gatekeeper>,
    /// Decides about everybody's permissions.
    pub authorizer: Arc<dyn Authorizer>,
    /// Keeps both up to date with the core modules; none where they need nobody.
    pub sources: Option<Sources>,
}

/// How callers are checked.
#[derive(Clone, Copy, Debug)]
pub struct SecuritySettings {
    /// A source that is silent for longer does not count.
    pub max_staleness: Duration,
    /// By how much clocks may differ; at most a minute.
    pub leeway: Duration,
}

impl Security {
    /// Serves public routes and nothing else; modules may do to each other what their manifests ask for.
    #[must_use]
    pub fn public_only() -> Self {
        Self::of(Arc::new(PublicOnly), Arc::new(NoRules))
    }

    /// Made of these two, which need no core module.
    #[must_use]
    pub fn of(gatekeeper: Arc<dyn Gatekeeper>, authorizer: Arc<dyn Authorizer>) -> Self {
        Self {
            gatekeeper,
            authorizer,
            sources: None,
        }
    }

    /// Goes by the core modules `auth` and `authz`. Where they do not run it is like [`Security::public_only`].
    #[must_use]
    pub fn guarded(settings: SecuritySettings, clock: Arc<dyn Clock>) -> Self {
        let rules = Arc::new(Rules::unknown());
        let freshness = Arc::new(Freshness::new(settings.max_staleness));
        let authenticator = Arc::new(Authenticator::new(clock, settings.leeway));
        let authorizer: Arc<dyn Authorizer> = Arc::new(Current::new(rules.clone(), freshness.clone()));
        Self {
            gatekeeper: Arc::new(TokenGatekeeper::new(authenticator.clone(), authorizer.clone(), freshness.clone())),
            authorizer,
            sources: Some(Sources {
                authenticator,
                rules,
                freshness,
            }),
        }
    }
}

impl Default for SecuritySettings {
    fn default() -> Self {
        Self {
            max_staleness: Duration::from_secs(60),
            leeway: Duration::from_secs(5),
        }
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Security").field("sources", &self.sources).finish_non_exhaustive()
    }
}
