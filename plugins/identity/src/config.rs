//! The section `[modules.identity]` of the host's configuration.

use schemars::JsonSchema;
use serde::Deserialize;

/// What operators may set.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where people reach this installation; links in mails begin with it. Left out: `http.public_url` of the host.
    #[schemars(extend("x-wharf-setting" = "http.public_url"))]
    pub public_url: String,
    /// How passwords are hashed, and which are taken.
    pub password: Password,
    /// What happens after wrong passwords.
    pub lockout: Lockout,
    /// How long links that are mailed count.
    pub links: Links,
    /// Whether somebody whose e-mail address was not verified may log in with a password.
    pub require_verified_email: bool,
}

/// argon2id (RFC 9106), with the parameters that OWASP gives first for servers as default.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Password {
    /// Characters that a password has at least.
    #[schemars(range(min = 8, max = 128))]
    pub min_length: u32,
    /// Memory of one hash, in KiB.
    #[schemars(range(min = 8, max = 4_194_304))]
    pub memory_kib: u32,
    /// Passes over that memory.
    #[schemars(range(min = 1, max = 1000))]
    pub iterations: u32,
    /// Lanes.
    #[schemars(range(min = 1, max = 64))]
    pub parallelism: u32,
    /// Hashes that are computed at a time; 0: as many as there are cores.
    pub concurrent: u32,
}

/// After `after` wrong tries an account is locked for `base_seconds`, and for twice as long with every further one.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Lockout {
    /// Wrong tries in a row that lock.
    #[schemars(range(min = 1, max = 100))]
    pub after: u32,
    /// The first lock, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub base_seconds: u32,
    /// The longest lock, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub max_seconds: u32,
}

/// Lifetimes in minutes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Links {
    /// Of an invitation.
    pub invitation_minutes: u32,
    /// Of a link that proves an address.
    pub verification_minutes: u32,
    /// Of a link to set a new password.
    pub reset_minutes: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            public_url: "http://127.0.0.1:8080".to_owned(),
            password: Password::default(),
            lockout: Lockout::default(),
            links: Links::default(),
            require_verified_email: false,
        }
    }
}

impl Default for Password {
    fn default() -> Self {
        Self {
            min_length: 12,
            memory_kib: 19 * 1024,
            iterations: 2,
            parallelism: 1,
            concurrent: 0,
        }
    }
}

impl Default for Lockout {
    fn default() -> Self {
        Self {
            after: 5,
            base_seconds: 15,
            max_seconds: 900,
        }
    }
}

impl Default for Links {
    fn default() -> Self {
        Self {
            invitation_minutes: 72 * 60,
            verification_minutes: 24 * 60,
            reset_minutes: 30,
        }
    }
}
