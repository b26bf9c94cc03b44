//! Secrets in files: `DIR/MODULE/NAME`, as orchestrators mount them.

use std::path::PathBuf;

use super::read_file;
use crate::ports::secrets::{SecretBytes, SecretFuture, SecretSource};

/// What nobody but the host's user may do; its group may read.
const FORBIDDEN: u32 = 0o037;

/// A folder with a folder a module and a file a secret. Read each time, so a file that changed counts at once.
#[derive(Clone, Debug)]
pub struct FileSecrets(PathBuf);

impl FileSecrets {
    /// In this folder, which need not be there.
    #[must_use]
    pub fn new(dir: PathBuf) -> Self {
        Self(dir)
    }
}

impl SecretSource for FileSecrets {
    fn read<'a>(&'a self, module: &'a str, name: &'a str) -> SecretFuture<'a, Option<SecretBytes>> {
        Box::pin(async move { read_file(&self.0.join(module).join(name), FORBIDDEN).await })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[tokio::test]
    async fn a_file_that_others_can_read_is_refused_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("blog/key");
        std::fs::create_dir(file.parent().unwrap()).unwrap();
        std::fs::write(&file, "canary\n").unwrap();
        let secrets = FileSecrets::new(folder.path().to_owned());
        for (mode, is_fine) in [
            (0o600, true),
            (0o400, true),
            (0o440, true),
            (0o644, false),
            (0o660, false),
            (0o604, false),
        ] {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
            match secrets.read("blog", "key").await {
                Ok(value) => assert!(is_fine && value.unwrap().reveal() == b"canary", "{mode:o}"),
                Err(error) => assert!(!is_fine && !format!("{error} {error:?}").contains("canary"), "{mode:o}: {error}"),
            }
        }
        assert!(secrets.read("blog", "other").await.unwrap().is_none());
        assert!(secrets.read("auth", "key").await.unwrap().is_none());
    }
}
