//! Ways of sending mail: into a maildir, or over SMTP.

mod maildir;
mod message;
#[cfg(feature = "smtp")]
mod smtp;

#[cfg(all(test, feature = "servers", feature = "smtp"))]
mod servers;

pub use maildir::MaildirMailer;
#[cfg(feature = "smtp")]
pub use smtp::{SmtpMailer, SmtpSecurity, SmtpSettings};
