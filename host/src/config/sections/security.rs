//! Callers: how they are checked, how often they may call, what is recorded, what browsers are told.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{Network, Period, Secret};

/// How callers are checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Security {
    /// How long the keys, revocations and rules of the core modules count after they were last heard of. Then protected requests are answered 503.
    pub max_staleness: Period,
    /// By how much clocks of those who sign tokens may differ; at most a minute.
    pub leeway: Period,
    /// Which of the core modules that are linked in may run: `identity`, `auth`, `authz`, `audit`.
    pub core_modules: Vec<String>,
}

/// How often callers may call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// Classes by name. A route may name one; `default` is for other calls of known callers, `anonymous` for those of others, by address, and
    /// `address` for every request, before anything else is looked at.
    pub classes: BTreeMap<String, RateClass>,
    /// Redis that counts for all nodes. Default: `cache.url`; without either each node counts for itself.
    pub redis_url: Option<Secret>,
    /// How long Redis may take to answer; then `on_failure` of the class decides.
    pub timeout: Period,
    /// Addresses that the classes `address` and `anonymous` do not count.
    pub exempt: Vec<Network>,
}

/// So many requests in a time, some of them at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateClass {
    /// Requests in `per`; 0: no limit.
    pub requests: u32,
    /// The time.
    pub per: Period,
    /// Most at once. Default: `requests`.
    #[serde(default)]
    pub burst: Option<u32>,
    /// What happens while nobody can count.
    #[serde(default)]
    pub on_failure: OnFailure,
}

/// What happens while something that is needed is away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// It is done without.
    #[default]
    Open,
    /// It is refused.
    Closed,
}

/// What the host itself writes to the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Whether changes over the admin API are made while nobody can record them.
    pub on_failure: OnFailure,
    /// Whether refused calls are recorded, by caller, route and minute.
    pub denials: bool,
}

/// Which pages of other origins may call. Off while `origins` is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Cors {
    /// Origins such as `https://app.example.org`, or `*` for all, without credentials.
    pub origins: Vec<String>,
    /// Methods they may use.
    pub methods: Vec<String>,
    /// Header fields they may send.
    pub headers: Vec<String>,
    /// Whether they may send cookies and the like.
    pub credentials: bool,
    /// How long a browser may remember the answer.
    pub max_age: Period,
}

/// Header fields that tell browsers to be careful. What a module sets itself is never overwritten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Headers {
    /// Whether to send `X-Content-Type-Options: nosniff`.
    pub nosniff: bool,
    /// `Referrer-Policy`; empty: none.
    pub referrer_policy: String,
    /// Who may show answers in a frame.
    pub frames: Frames,
    /// `max-age` of `Strict-Transport-Security`, sent only over TLS; 0s: none.
    pub hsts: Period,
}

/// Who may show answers in a frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Frames {
    /// Nobody.
    #[default]
    Deny,
    /// Pages of the same origin.
    SameOrigin,
    /// Everybody.
    Any,
}

impl Default for Security {
    fn default() -> Self {
        Self {
            max_staleness: Period::secs(60),
            leeway: Period::secs(5),
            core_modules: ["identity", "auth", "authz", "audit"].map(str::to_owned).to_vec(),
        }
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        let class = |name: &str, requests, burst| {
            let class = RateClass {
                requests,
                per: Period::secs(60),
                burst: Some(burst),
                on_failure: OnFailure::Open,
            };
            (name.to_owned(), class)
        };
        Self {
            classes: BTreeMap::from([
                class("address", 60_000, 10_000),
                class("anonymous", 12_000, 2_000),
                class("default", 60_000, 10_000),
            ]),
            redis_url: None,
            timeout: Period::millis(100),
            exempt: ["127.0.0.0/8", "::1"].iter().filter_map(|network| network.parse().ok()).collect(),
        }
    }
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            on_failure: OnFailure::Open,
            denials: true,
        }
    }
}

impl Default for Cors {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            methods: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"].map(str::to_owned).to_vec(),
            headers: [
                "authorization",
                "content-type",
                "idempotency-key",
                "connect-protocol-version",
                "connect-timeout-ms",
            ]
            .map(str::to_owned)
            .to_vec(),
            credentials: false,
            max_age: Period::secs(600),
        }
    }
}

impl Default for Headers {
    fn default() -> Self {
        Self {
            nosniff: true,
            referrer_policy: "no-referrer".to_owned(),
            frames: Frames::Deny,
            hsts: Period::secs(365 * 24 * 3600),
        }
    }
}
