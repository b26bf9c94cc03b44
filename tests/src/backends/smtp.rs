//! A mail server that puts what it gets into a maildir: aiosmtpd, which is what Python's own documentation recommends.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Kind, Place, programs};
use crate::workspace::root;

/// A mail server. To `refused@..` it answers 550, to `later@..` 451, `hang@..` never; everything else it takes.
#[derive(Clone, Debug, Default)]
pub struct Smtp {
    /// How a connection is protected.
    pub security: SmtpSecurity,
    /// Name and password it then insists on. aiosmtpd takes them over TLS only.
    pub login: Option<(String, String)>,
    /// Certificate chain and key in PEM, which every security but plain needs.
    pub identity: Option<(String, String)>,
}

/// How connections are protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// Not at all.
    #[default]
    Plain,
    /// After the command STARTTLS, without which nothing is taken.
    StartTls,
    /// From the first byte.
    Implicit,
}

impl Smtp {
    /// The mails a server has taken so far, in the order of arrival.
    ///
    /// # Panics
    /// When they cannot be read.
    #[must_use]
    pub fn mails(place: &Place) -> Vec<String> {
        read_mails(&maildir(place).join("new"))
    }
}

impl Kind for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
    }

    fn prepare(&self, place: &Place) -> Result<(), String> {
        if let Some((certificate, key)) = &self.identity {
            place.write("certificate.pem", certificate)?;
            place.write("key.pem", key)?;
        }
        if let Some((name, password)) = &self.login {
            place.write("login", &format!("{name}\n{password}\n"))?;
        }
        // The server may run as a user that cannot reach the sources.
        let script = fs::read_to_string(root().join("tests/backends/smtp.py")).map_err(|error| format!("cannot read smtp.py: {error}"))?;
        place.write("smtp.py", &script)?;
        Ok(())
    }

    /// As the caller: its libraries are in a folder that others may not be able to reach.
    fn commands(&self, place: &Place) -> Vec<Command> {
        let own = Place {
            user: None,
            ..place.clone()
        };
        let mut command = own.command(programs::find("python3", &[]));
        command
            .env("PYTHONPATH", programs::tools().join("python"))
            .env("PYTHONUNBUFFERED", "1");
        // A python that is chosen by a version manager looks for its settings at home.
        if let Some(home) = std::env::var_os("HOME") {
            command.env("HOME", home);
        }
        let security = match self.security {
            SmtpSecurity::Plain => "plain",
            SmtpSecurity::StartTls => "starttls",
            SmtpSecurity::Implicit => "implicit",
        };
        command.args(["smtp.py", &place.port().to_string(), security]);
        vec![command]
    }

    fn ask(&self, place: &Place) -> Result<(), String> {
        let mut stream = place.connect(0)?;
        if self.security == SmtpSecurity::Implicit {
            // It listens once its certificate is loaded; a handshake is the client's to try.
            return Ok(());
        }
        let mut line = String::new();
        let asked = BufReader::new(&stream)
            .read_line(&mut line)
            .and_then(|_| stream.write_all(b"QUIT\r\n"));
        match asked {
            Ok(()) if line.starts_with("220 ") => Ok(()),
            Ok(()) => Err(format!("found {line:?}, expected 220")),
            Err(error) => Err(error.to_string()),
        }
    }

    fn variables(&self, place: &Place) -> Vec<(&'static str, String)> {
        let scheme = if self.security == SmtpSecurity::Implicit { "smtps" } else { "smtp" };
        vec![
            ("WHARF_TEST_SMTP_URL", format!("{scheme}://127.0.0.1:{}", place.port())),
            ("WHARF_TEST_SMTP_MAILDIR", maildir(place).display().to_string()),
        ]
    }
}

fn maildir(place: &Place) -> PathBuf {
    place.folder.join("maildir")
}

fn read_mails(folder: &Path) -> Vec<String> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .collect();
    files.sort();
    let read = |path: &PathBuf| fs::read(path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    files.iter().map(|path| String::from_utf8_lossy(&read(path)).into_owned()).collect()
}
