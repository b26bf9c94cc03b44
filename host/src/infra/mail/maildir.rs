//! Mail into a maildir (`tmp`, `new`, `cur`), which mail programs and people can read: the embedded default.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::message;
use crate::ports::mail::{Mail, MailError, MailFuture, Mailer};

/// A maildir of the host's own.
#[derive(Clone, Debug)]
pub struct MaildirMailer(PathBuf);

impl MaildirMailer {
    /// In this folder, which is made when it is missing, for this user alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(folder: &Path) -> io::Result<Self> {
        for name in ["tmp", "new", "cur"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder.join(name))?;
        }
        Ok(Self(folder.to_owned()))
    }
}

impl Mailer for MaildirMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> MailFuture<'a> {
        Box::pin(async move {
            let content = message::write(mail)?.formatted();
            // The same name in every try: a mail that is sent again replaces its first copy.
            let id = mail.message_id.split('@').next().unwrap_or_default();
            let name: String = format!("{}.{id}.wharf", mail.made_ms)
                .chars()
                .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
                .collect();
            let folder = self.0.clone();
            let written = tokio::task::spawn_blocking(move || place(&folder, &name, &content)).await;
            let written = written.unwrap_or_else(|error| Err(io::Error::other(error)));
            written.map_err(|error| MailError::Later {
                answer: "the maildir cannot be written".to_owned(),
                source: Some(Box::new(error)),
            })
        })
    }
}

fn place(folder: &Path, name: &str, content: &[u8]) -> io::Result<()> {
    let (from, to) = (folder.join("tmp").join(name), folder.join("new").join(name));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&from)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&from, &to)?;
    fs::File::open(folder.join("new"))?.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::super::message::tests::mail;
    use super::*;

    #[tokio::test]
    async fn a_mail_that_is_sent_twice_is_there_once_and_only_its_owner_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = MaildirMailer::open(&folder.path().join("mail")).unwrap();
        mailer.send(&mail()).await.unwrap();
        mailer.send(&mail()).await.unwrap();
        let files: Vec<_> = fs::read_dir(folder.path().join("mail/new"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect();
        assert_eq!(files.len(), 1);
        assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(fs::read_to_string(&files[0]).unwrap().contains("Message-ID: <0190@example.org>"));
        assert_eq!(fs::read_dir(folder.path().join("mail/tmp")).unwrap().count(), 0);
    }
}
