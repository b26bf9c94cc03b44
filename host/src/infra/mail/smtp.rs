//! Mail over SMTP, through lettre.

use std::fmt;
use std::time::Duration;

use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::message;
use crate::config::Secret;
use crate::ports::mail::{Mail, MailError, MailFuture, Mailer};

/// How a mail server is reached.
#[derive(Clone, Debug)]
pub struct SmtpSettings {
    /// Its name, which its certificate must have.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How connections are protected.
    pub security: SmtpSecurity,
    /// Name and password.
    pub login: Option<(String, Secret)>,
    /// Certificates to trust beside the system's, in PEM.
    pub ca: Option<Vec<u8>>,
    /// How long one mail may take, with its connection.
    pub timeout: Duration,
    /// Connections at a time.
    pub connections: u32,
}

/// How connections are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Not at all: for a server on this machine.
    Plain,
    /// By STARTTLS, without which nothing is sent.
    #[default]
    StartTls,
    /// From the first byte.
    Implicit,
}

/// A mail server.
#[derive(Clone)]
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    host: String,
    timeout: Duration,
}

impl SmtpMailer {
    /// For this server. Nothing is connected yet.
    ///
    /// # Errors
    /// When the settings cannot be right.
    pub fn new(settings: &SmtpSettings) -> Result<Self, MailError> {
        let wrong = |error: lettre::transport::smtp::Error| MailError::Refused {
            answer: format!("the settings of TLS cannot be used: {error}"),
        };
        let mut parameters = TlsParameters::builder(settings.host.clone());
        if let Some(ca) = &settings.ca {
            parameters = parameters.add_root_certificate(Certificate::from_pem(ca).map_err(wrong)?);
        }
        let tls = match settings.security {
            SmtpSecurity::Plain => Tls::None,
            SmtpSecurity::StartTls => Tls::Required(parameters.build_rustls().map_err(wrong)?),
            SmtpSecurity::Implicit => Tls::Wrapper(parameters.build_rustls().map_err(wrong)?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(settings.timeout))
            .pool_config(
                PoolConfig::new()
                    .max_size(settings.connections.max(1))
                    .idle_timeout(Duration::from_secs(30)),
            );
        if let Some((name, password)) = &settings.login {
            builder = builder.credentials(Credentials::new(name.clone(), password.reveal().to_owned()));
        }
        Ok(Self {
            transport: builder.build(),
            host: settings.host.clone(),
            timeout: settings.timeout,
        })
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> MailFuture<'a> {
        Box::pin(async move {
            let message = message::write(mail)?;
            // lettre limits the time of a connection, not of the answers on it.
            let Ok(sent) = tokio::time::timeout(self.timeout, self.transport.send(message)).await else {
                return Err(MailError::Later {
                    answer: format!("{} has not answered within {} s", self.host, self.timeout.as_secs_f32()),
                    source: None,
                });
            };
            match sent {
                Ok(_) => Ok(()),
                // The server's last word, unless it is about the login: an operator can mend that.
                Err(error) if error.is_permanent() && !is_about_login(&error) => Err(MailError::Refused { answer: error.to_string() }),
                Err(error) => Err(MailError::Later {
                    answer: format!("{} does not take it", self.host),
                    source: Some(Box::new(error)),
                }),
            }
        })
    }
}

fn is_about_login(error: &lettre::transport::smtp::Error) -> bool {
    error.status().is_some_and(|code| matches!(u16::from(code), 530 | 534 | 535 | 538))
}

impl fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpMailer").field("host", &self.host).finish_non_exhaustive()
    }
}
