//! How mail goes out.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::units::{Period, Secret};

/// Mail of modules.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// Where it goes.
    pub transport: MailTransport,
    /// Who it is from: `Name <name@example.org>`. The part after the `@` is also in each Message-ID.
    pub from: String,
    /// Folder for `transport = "maildir"`. Default: `mail` in `data_dir`.
    pub dir: Option<PathBuf>,
    /// Mails a module may queue in a minute.
    pub rate_per_minute: u32,
    /// Tries before a mail waits for `wharf mail retry`; the delays between them double from 5 s to an hour.
    pub attempts: u32,
    /// How long mails that were sent are kept for `wharf mail list`.
    pub keep: Period,
    /// The server for `transport = "smtp"`.
    pub smtp: SmtpServer,
}

/// Where mail goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MailTransport {
    /// Into a folder of this machine, which mail programs can read.
    #[default]
    Maildir,
    /// To a mail server.
    Smtp,
}

/// A mail server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SmtpServer {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port. Default: 587 with `starttls`, 465 with `implicit`, 25 with `plain`.
    pub port: Option<u16>,
    /// How connections are protected.
    pub security: SmtpProtection,
    /// Name for the login; none without.
    pub username: Option<String>,
    /// Password for the login.
    pub password: Option<Secret>,
    /// PEM file with certificates to trust beside the system's.
    pub ca: Option<PathBuf>,
    /// How long one mail may take, with its connection.
    pub timeout: Period,
    /// Connections at a time.
    pub connections: u32,
}

/// How connections are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SmtpProtection {
    /// Not at all: for a server on this machine.
    Plain,
    /// By STARTTLS, without which nothing is sent.
    #[default]
    Starttls,
    /// From the first byte.
    Implicit,
}

impl Default for Mail {
    fn default() -> Self {
        Self {
            transport: MailTransport::Maildir,
            from: "Wharf <wharf@localhost>".to_owned(),
            dir: None,
            rate_per_minute: 600,
            attempts: 12,
            keep: Period::secs(7 * 24 * 3600),
            smtp: SmtpServer::default(),
        }
    }
}

impl Default for SmtpServer {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            port: None,
            security: SmtpProtection::Starttls,
            username: None,
            password: None,
            ca: None,
            timeout: Period::secs(60),
            connections: 4,
        }
    }
}

impl SmtpServer {
    /// The port, or the usual one.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            SmtpProtection::Plain => 25,
            SmtpProtection::Starttls => 587,
            SmtpProtection::Implicit => 465,
        })
    }
}
