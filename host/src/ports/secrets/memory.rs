//! Secrets in memory: for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::{SecretBytes, SecretFuture, SecretSource};

/// Forgets everything with the process.
#[derive(Debug, Default)]
pub struct MemorySecrets(Mutex<BTreeMap<(String, String), SecretBytes>>);

impl MemorySecrets {
    /// No secret yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Keeps a value in place of the one there was.
    pub fn set(&self, module: &str, name: &str, value: SecretBytes) {
        let key = (module.to_owned(), name.to_owned());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, value);
    }
}

impl SecretSource for MemorySecrets {
    fn read<'a>(&'a self, module: &'a str, name: &'a str) -> SecretFuture<'a, Option<SecretBytes>> {
        let key = (module.to_owned(), name.to_owned());
        Box::pin(async move { Ok(self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()) })
    }

    fn make<'a>(&'a self, module: &'a str, name: &'a str, value: SecretBytes) -> SecretFuture<'a, Option<SecretBytes>> {
        let key = (module.to_owned(), name.to_owned());
        Box::pin(async move {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(Some(all.entry(key).or_insert(value).clone()))
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;

    use super::super::Secrets;
    use super::*;

    #[tokio::test]
    async fn the_first_source_that_has_a_value_wins() {
        let (first, second) = (Arc::new(MemorySecrets::new()), Arc::new(MemorySecrets::new()));
        second.set("blog", "key", SecretBytes::new(b"2".to_vec()));
        let secrets = Secrets::new(vec![first.clone(), second]);
        assert_eq!(secrets.read("blog", "key").await.unwrap().unwrap().reveal(), b"2");
        first.set("blog", "key", SecretBytes::new(b"1".to_vec()));
        assert_eq!(secrets.read("blog", "key").await.unwrap().unwrap().reveal(), b"1");
        assert!(secrets.read("other", "key").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn the_key_of_a_module_is_made_once_and_for_it_alone() {
        let secrets = Secrets::new(vec![Arc::new(MemorySecrets::new())]);
        let read = async |module| {
            secrets
                .read(module, super::super::MODULE_KEY)
                .await
                .unwrap()
                .unwrap()
                .reveal()
                .to_vec()
        };
        let (first, again, other) = (read("auth").await, read("auth").await, read("blog").await);
        assert_eq!((first.len(), &first), (32, &again));
        assert_ne!(first, other);
    }
}
