//! The section `[modules.auth]` of the host's configuration.

use schemars::JsonSchema;
use serde::Deserialize;

/// What operators may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where people and programs reach this installation, such as `https://wharf.example.org`. The issuer is this and `/auth`. Left out: `http.public_url` of the host.
    #[schemars(extend("x-wharf-setting" = "http.public_url"))]
    pub public_url: String,
    /// `aud` of access tokens; the issuer when left out.
    pub audience: Option<String>,
    /// How access tokens are signed. A change counts from the next signing key on.
    pub algorithm: SigningAlgorithm,
    /// How long an access token counts, in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub access_token_seconds: u64,
    /// How long a session lives without being used, in seconds.
    #[schemars(range(min = 1))]
    pub session_idle_seconds: u64,
    /// How long a session lives at the longest, in seconds.
    #[schemars(range(min = 1))]
    pub session_seconds: u64,
    /// How long an authorization code counts, in seconds.
    #[schemars(range(min = 1, max = 600))]
    pub code_seconds: u64,
    /// How long somebody may take to log in, in seconds.
    #[schemars(range(min = 1, max = 3600))]
    pub login_seconds: u64,
    /// How long a signing key signs, in seconds.
    #[schemars(range(min = 1))]
    pub key_seconds: u64,
    /// How long before its use a signing key is published, in seconds.
    #[schemars(range(min = 1))]
    pub key_published_before_seconds: u64,
    /// How long an API key may count at the longest, in seconds; 0: for ever.
    pub api_key_seconds: u64,
    /// Other identity providers people may log in with.
    pub providers: Vec<Provider>,
}

/// How access tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SigningAlgorithm {
    /// Ed25519 (RFC 8037).
    #[default]
    EdDSA,
    /// ECDSA on P-256 with SHA-256 (RFC 7518).
    ES256,
}

/// Another identity provider that speaks OpenID Connect.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its name in addresses: lower-case letters, digits and -.
    pub id: String,
    /// Its name on the login page; the id when left out.
    #[serde(default)]
    pub name: Option<String>,
    /// `iss` of its tokens; its configuration is read from "/.well-known/openid-configuration" below it.
    pub issuer: String,
    /// The name this installation has there. Its secret, if it has one, is in the secret `provider-secrets`, a JSON object with
    /// the secrets by id of the provider.
    pub client_id: String,
    /// Tenant of the accounts that are made for its users.
    #[serde(default = "default_tenant")]
    pub tenant: String,
    /// Scopes to ask for beside `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Its word on e-mail addresses is taken: whoever has a verified address of an account here gets that account.
    #[serde(default)]
    pub trusted_email: bool,
    /// It may have a private address and speak plain HTTP. For tests and closed networks.
    #[serde(default)]
    pub allow_private: bool,
}

fn default_tenant() -> String {
    "default".to_owned()
}

fn default_scopes() -> Vec<String> {
    vec!["profile".to_owned(), "email".to_owned()]
}

impl Default for Config {
    fn default() -> Self {
        const DAY: u64 = 24 * 60 * 60;
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            audience: None,
            algorithm: SigningAlgorithm::EdDSA,
            access_token_seconds: 10 * 60,
            session_idle_seconds: 14 * DAY,
            session_seconds: 90 * DAY,
            code_seconds: 60,
            login_seconds: 10 * 60,
            key_seconds: 30 * DAY,
            key_published_before_seconds: 60 * 60,
            api_key_seconds: 365 * DAY,
            providers: Vec::new(),
        }
    }
}

impl Config {
    /// `iss` of everything this module signs.
    pub(crate) fn issuer(&self) -> String {
        format!("{}/auth", self.public_url.trim_end_matches('/'))
    }

    /// `aud` of access tokens.
    pub(crate) fn audience(&self) -> String {
        self.audience.clone().unwrap_or_else(|| self.issuer())
    }

    /// Whether people reach it over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.public_url.starts_with("https://")
    }

    /// How long access tokens count, with what clocks may differ, in milliseconds.
    pub(crate) fn token_life_ms(&self) -> i64 {
        millis(self.access_token_seconds) + LEEWAY_MS
    }

    /// What the schema cannot say.
    pub(crate) fn check(&self) -> Result<(), String> {
        let url = openidconnect::url::Url::parse(&self.public_url)
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host() && url.query().is_none() && url.fragment().is_none());
        if url.is_none() {
            let found = &self.public_url;
            return Err(format!(
                "found public_url {found:?}, expected a URL of http or https such as \"https://wharf.example.org\" under [modules.auth]"
            ));
        }
        if self.key_seconds <= self.key_published_before_seconds {
            let (found, before) = (self.key_seconds, self.key_published_before_seconds);
            return Err(format!(
                "found key_seconds {found}, expected more than key_published_before_seconds, which is {before}"
            ));
        }
        let mut ids = std::collections::BTreeSet::new();
        for provider in &self.providers {
            let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if provider.id.is_empty() || provider.id.len() > 40 || !provider.id.chars().all(is_word) {
                return Err(format!(
                    "found provider {:?}, expected at most 40 lower-case letters, digits and -",
                    provider.id
                ));
            }
            if !ids.insert(&provider.id) {
                return Err(format!("found two providers {:?}, expected each id once", provider.id));
            }
        }
        Ok(())
    }
}

/// How far clocks may differ: what verifiers allow.
pub(crate) const LEEWAY_MS: i64 = 60_000;

/// Seconds as milliseconds.
pub(crate) fn millis(seconds: u64) -> i64 {
    i64::try_from(seconds.saturating_mul(1000))
        .unwrap_or(i64::MAX / 4)
        .min(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_that_cannot_work_is_refused_with_what_was_expected() {
        assert_eq!(Config::default().check(), Ok(()));
        let wrong = |change: fn(&mut Config)| {
            let mut config = Config::default();
            change(&mut config);
            config.check().err().unwrap_or_default()
        };
        assert!(wrong(|config| config.public_url = "wharf.example.org".to_owned()).contains("public_url"));
        assert!(wrong(|config| config.key_seconds = 10).contains("key_seconds 10"));
    }

    #[test]
    fn the_issuer_is_below_the_public_address() {
        let config = Config {
            public_url: "https://wharf.example.org/".to_owned(),
            ..Config::default()
        };
        assert_eq!(
            (config.issuer(), config.is_secure()),
            ("https://wharf.example.org/auth".to_owned(), true)
        );
        assert_eq!(config.audience(), config.issuer());
    }
}
