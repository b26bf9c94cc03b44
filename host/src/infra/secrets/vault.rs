//! Secrets that the host itself stores, sealed with the master key.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::MasterKeys;
use crate::failpoint;
use crate::ports::secrets::{LONGEST, SealedStore, SecretBytes, SecretError, SecretFuture, SecretSource};

/// The table of sealed secrets and the key that opens them. The key's file is read each time, so that a changed key counts
/// without a restart, and no key stays in memory.
#[derive(Clone, Debug)]
pub struct Vault {
    store: Arc<dyn SealedStore>,
    key_file: PathBuf,
}

/// What may be told of a stored secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Module that may read it.
    pub module: String,
    /// Its name.
    pub name: String,
    /// Id of the key it is sealed with.
    pub key: String,
    /// When it was set.
    pub changed: Timestamp,
}

impl Vault {
    /// Over a table, with the key in a file that need not be there yet.
    #[must_use]
    pub fn new(store: Arc<dyn SealedStore>, key_file: PathBuf) -> Self {
        Self { store, key_file }
    }

    /// Makes the key, if there is none: for a host whose database only it uses. Nodes that share one get their key from the operator.
    ///
    /// # Errors
    /// [`SecretError`] when the file cannot be written.
    pub fn make_key(&self) -> Result<(), SecretError> {
        MasterKeys::create(&self.key_file)
    }

    /// Seals and keeps a value in place of the one there was. It counts for the next that reads it.
    ///
    /// # Errors
    /// [`SecretError`]; what was there stays then.
    pub async fn set(&self, module: &str, name: &str, value: &SecretBytes) -> Result<(), SecretError> {
        let found = value.reveal().len();
        if found > LONGEST {
            return Err(SecretError::TooLong { found });
        }
        loop {
            let sealed = self.keys()?.seal(module, name, value)?;
            failpoint::hit("secrets.sealed")
                .await
                .map_err(|told| SecretError::Seal(told.into()))?;
            self.store.put_sealed(&sealed).await?;
            // Whoever changes the key looks at the table after the file: one of the two sees the other.
            if self.keys()?.knows(&sealed.key_id) {
                return Ok(());
            }
        }
    }

    /// What is stored, by module and name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn list(&self) -> Result<Vec<Listed>, SecretError> {
        let sealed = self.store.all_sealed().await?;
        let listed = sealed.into_iter().map(|sealed| Listed {
            module: sealed.module,
            name: sealed.name,
            key: sealed.key_id,
            changed: sealed.changed,
        });
        Ok(listed.collect())
    }

    /// Forgets one; whether there was one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn delete(&self, module: &str, name: &str) -> Result<bool, SecretError> {
        Ok(self.store.delete_sealed(module, name).await?)
    }

    /// Makes a new key and seals everything with it. Killed at any moment, everything can be read, and running it again
    /// finishes it.
    ///
    /// # Errors
    /// [`SecretError`]; what cannot be opened keeps its key, and the old keys stay in the file.
    pub async fn rotate(&self) -> Result<usize, SecretError> {
        self.keys()?.add()?;
        self.reseal().await
    }

    /// Seals everything with the first key of the file, then forgets the other keys.
    ///
    /// # Errors
    /// As [`Vault::rotate`].
    pub async fn reseal(&self) -> Result<usize, SecretError> {
        let keys = self.keys()?;
        let mut done = self.reseal_with(&keys).await?;
        keys.keep_first()?;
        // What was set with an old key between the last look and now.
        done += self.reseal_with(&keys).await?;
        Ok(done)
    }

    async fn reseal_with(&self, keys: &MasterKeys) -> Result<usize, SecretError> {
        let (id, mut done) = (keys.id(), 0);
        loop {
            let old: Vec<_> = self
                .store
                .all_sealed()
                .await?
                .into_iter()
                .filter(|sealed| sealed.key_id != id)
                .collect();
            if old.is_empty() {
                return Ok(done);
            }
            let mut pairs = Vec::with_capacity(old.len());
            for sealed in old {
                let value = keys.open(&sealed)?;
                let new = keys.seal(&sealed.module, &sealed.name, &value)?;
                pairs.push((sealed, new));
            }
            // One that was set meanwhile stays as it is, and is looked at again.
            done += usize::try_from(self.store.reseal(&pairs).await?).unwrap_or(0);
            failpoint::hit("secrets.sealed")
                .await
                .map_err(|told| SecretError::Seal(told.into()))?;
        }
    }

    /// Id of the key that seals now.
    ///
    /// # Errors
    /// When the key cannot be read.
    pub fn key_id(&self) -> Result<String, SecretError> {
        Ok(self.keys()?.id())
    }

    fn keys(&self) -> Result<MasterKeys, SecretError> {
        MasterKeys::load(&self.key_file)
    }
}

impl SecretSource for Vault {
    fn read<'a>(&'a self, module: &'a str, name: &'a str) -> SecretFuture<'a, Option<SecretBytes>> {
        Box::pin(async move {
            let mut before = None;
            loop {
                let Some(sealed) = self.store.sealed(module, name).await? else {
                    return Ok(None);
                };
                match self.keys()?.open(&sealed) {
                    // The key was changed between the two looks; it is another text then.
                    Err(SecretError::OtherKey { .. }) if before.as_ref() != Some(&sealed) => before = Some(sealed),
                    opened => return opened.map(Some),
                }
            }
        })
    }

    fn make<'a>(&'a self, module: &'a str, name: &'a str, value: SecretBytes) -> SecretFuture<'a, Option<SecretBytes>> {
        Box::pin(async move {
            loop {
                let sealed = self.keys()?.seal(module, name, &value)?;
                let added = self.store.add_sealed(&sealed).await?;
                // As in `set`: the key may have been changed meanwhile, and forgotten.
                if !added || self.keys()?.knows(&sealed.key_id) {
                    return self.read(module, name).await;
                }
                self.store.delete_sealed(module, name).await?;
            }
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::infra::database::SqliteState;

    async fn vault(folder: &tempfile::TempDir) -> Vault {
        let state = SqliteState::open(&folder.path().join("host.sqlite")).await.unwrap();
        let vault = Vault::new(Arc::new(state), folder.path().join("master.key"));
        vault.make_key().unwrap();
        vault
    }

    fn value(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[tokio::test]
    async fn a_secret_is_on_disk_only_sealed_and_only_its_module_finds_it() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder).await;
        vault.set("blog", "key", &value("canary-9d2f")).await.unwrap();
        assert_eq!(vault.read("blog", "key").await.unwrap().unwrap().reveal(), b"canary-9d2f");
        assert!(vault.read("auth", "key").await.unwrap().is_none());
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(11).any(|window| window == b"canary-9d2f"));
        }
        let listed = serde_json::to_string(&vault.list().await.unwrap()).unwrap();
        assert!(listed.contains("\"blog\"") && !listed.contains("canary"), "{listed}");
        assert!(vault.delete("blog", "key").await.unwrap());
        assert!(vault.read("blog", "key").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_key_of_a_module_is_made_once_for_all_nodes_and_survives_a_change_of_the_master_key() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder).await;
        let secrets = crate::ports::secrets::Secrets::new(vec![Arc::new(vault.clone())]);
        let read = || async { secrets.read("auth", "module-key").await.unwrap().unwrap().reveal().to_vec() };
        let (first, other) = tokio::join!(read(), read());
        assert_eq!((first.len(), &first), (32, &other));
        assert_eq!(vault.rotate().await.unwrap(), 1);
        assert_eq!(read().await, first);
    }

    #[tokio::test]
    async fn a_key_is_changed_without_a_moment_of_not_reading() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder).await;
        for n in 0..20 {
            vault.set("blog", &format!("key-{n}"), &value(&n.to_string())).await.unwrap();
        }
        let before = vault.key_id().unwrap();
        let reading = async {
            for n in (0..20).cycle().take(200) {
                let read = vault.read("blog", &format!("key-{n}")).await.unwrap().unwrap();
                assert_eq!(read.reveal(), n.to_string().as_bytes());
            }
        };
        let (rotated, ()) = tokio::join!(vault.rotate(), reading);
        assert_eq!(rotated.unwrap(), 20);
        let after = vault.key_id().unwrap();
        assert_ne!(before, after);
        assert!(vault.list().await.unwrap().iter().all(|listed| listed.key == after));
        assert_eq!(vault.reseal().await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_change_of_keys_that_was_cut_off_is_finished_by_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder).await;
        vault.set("blog", "key", &value("1")).await.unwrap();
        // As far as a process got that died after it had written the new key.
        vault.keys().unwrap().add().unwrap();
        vault.set("blog", "newer", &value("2")).await.unwrap();
        assert_eq!(vault.read("blog", "key").await.unwrap().unwrap().reveal(), b"1");
        assert_eq!(vault.rotate().await.unwrap(), 2);
        assert_eq!(vault.read("blog", "key").await.unwrap().unwrap().reveal(), b"1");
        assert_eq!(vault.read("blog", "newer").await.unwrap().unwrap().reveal(), b"2");
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let vault = vault(&folder).await;
        let error = vault.set("blog", "key", &SecretBytes::new(vec![0; LONGEST + 1])).await.unwrap_err();
        assert!(matches!(error, SecretError::TooLong { .. }), "{error}");
    }
}
