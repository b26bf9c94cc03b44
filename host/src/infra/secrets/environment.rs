//! Secrets in variables: `WHARF_SECRET__MODULE__NAME`, or the path of a file in `..._FILE`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::read_file;
use crate::ports::secrets::{SecretBytes, SecretFuture, SecretSource};

const PREFIX: &str = "WHARF_SECRET__";

/// What the environment had when the host started. Files are read each time.
pub struct EnvironmentSecrets(BTreeMap<String, SecretBytes>);

impl EnvironmentSecrets {
    /// From the environment, names with values; what is no secret is left.
    #[must_use]
    pub fn new(environment: &[(String, String)]) -> Self {
        let secrets = environment.iter().filter_map(|(name, value)| {
            let name = name.strip_prefix(PREFIX)?;
            Some((name.to_owned(), SecretBytes::new(value.clone().into_bytes())))
        });
        Self(secrets.collect())
    }
}

impl SecretSource for EnvironmentSecrets {
    fn read<'a>(&'a self, module: &'a str, name: &'a str) -> SecretFuture<'a, Option<SecretBytes>> {
        let part = |text: &str| text.replace('-', "_").to_ascii_uppercase();
        let variable = format!("{}__{}", part(module), part(name));
        Box::pin(async move {
            if let Some(value) = self.0.get(&variable) {
                return Ok(Some(value.clone()));
            }
            let Some(path) = self.0.get(&format!("{variable}_FILE")) else {
                return Ok(None);
            };
            let path = PathBuf::from(String::from_utf8_lossy(path.reveal()).into_owned());
            // Whoever named the file answers for its mode: orchestrators mount such files as they like.
            match read_file(&path, 0).await? {
                Some(value) => Ok(Some(value)),
                None => Err(crate::ports::secrets::SecretError::File {
                    what: "cannot read",
                    path,
                    source: std::io::Error::from(std::io::ErrorKind::NotFound),
                }),
            }
        })
    }
}

impl fmt::Debug for EnvironmentSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvironmentSecrets({} of them)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_variable_or_the_file_it_names_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        std::fs::write(&file, "from-file\n").unwrap();
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let secrets = EnvironmentSecrets::new(&[
            variable("WHARF_SECRET__MY_BLOG__STRIPE_KEY", "canary"),
            variable("WHARF_SECRET__BLOG__MAIL_FILE", &file.display().to_string()),
            variable("WHARF_SECRET__BLOG__GONE_FILE", "/nowhere/at/all"),
            variable("PATH", "/bin"),
        ]);
        let read = async |module, name| secrets.read(module, name).await;
        assert_eq!(read("my-blog", "stripe-key").await.unwrap().unwrap().reveal(), b"canary");
        assert_eq!(read("blog", "mail").await.unwrap().unwrap().reveal(), b"from-file");
        assert!(read("blog", "stripe-key").await.unwrap().is_none());
        let error = read("blog", "gone").await.unwrap_err().to_string();
        assert!(error.starts_with("cannot read /nowhere/at/all"), "{error}");
        assert!(!format!("{secrets:?}").contains("canary"));
    }
}
