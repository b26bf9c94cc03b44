//! Chooses how mail goes out.

use std::sync::Arc;

use anyhow::Context as _;
use wharf_host::config::{Config, MailTransport, SmtpProtection};
use wharf_host::infra::mail::{MaildirMailer, SmtpMailer, SmtpSecurity, SmtpSettings};
use wharf_host::ports::mail::Mailer;

/// Opens the transport of the configuration.
pub(super) fn open(config: &Config) -> anyhow::Result<Arc<dyn Mailer>> {
    let section = &config.mail;
    if section.transport == MailTransport::Maildir {
        let folder = section.dir.clone().unwrap_or_else(|| config.data_dir.join("mail"));
        let mailer = MaildirMailer::open(&folder).with_context(|| format!("mail.dir: cannot use {}", folder.display()))?;
        return Ok(Arc::new(mailer));
    }
    let smtp = &section.smtp;
    let login = match (&smtp.username, &smtp.password) {
        (Some(name), Some(password)) => Some((name.clone(), password.clone())),
        (None, None) => None,
        _ => anyhow::bail!("mail.smtp.username and mail.smtp.password are set by halves: set both, or neither"),
    };
    if login.is_some() && smtp.security == SmtpProtection::Plain {
        anyhow::bail!("mail.smtp.security = \"plain\" would show the password to the network; use \"starttls\" or \"implicit\"");
    }
    let ca = smtp
        .ca
        .as_ref()
        .map(|path| std::fs::read(path).with_context(|| format!("mail.smtp.ca: cannot read {}", path.display())));
    let mailer = SmtpMailer::new(&SmtpSettings {
        host: smtp.host.clone(),
        port: smtp.port(),
        security: match smtp.security {
            SmtpProtection::Plain => SmtpSecurity::Plain,
            SmtpProtection::Starttls => SmtpSecurity::StartTls,
            SmtpProtection::Implicit => SmtpSecurity::Implicit,
        },
        login,
        ca: ca.transpose()?,
        timeout: smtp.timeout.get(),
        connections: smtp.connections,
    });
    Ok(Arc::new(mailer.context("mail.smtp")?))
}
