//! Secrets of modules: values that only the module that names them may read, and that nobody may see.
//!
//! A value comes from one of several sources, asked in order. What the host itself stores is sealed: the table has
//! ciphertext and the id of the key, never the value and never the key.

mod memory;
mod secret;

#[cfg(test)]
pub(crate) mod contract;

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use jiff::Timestamp;

use super::state::{StateError, StateFuture};

pub use memory::MemorySecrets;
pub use secret::SecretBytes;

/// Longest value.
pub const LONGEST: usize = 64 * 1024;

/// Name of the secret that nobody has to set: 32 random bytes that are made for a module the first time it reads them, and stay
/// its own from then on. It seals what the module itself keeps. Whoever sets it decides its value.
pub const MODULE_KEY: &str = "module-key";

/// A boxed future, so that the traits can be objects.
pub type SecretFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, SecretError>> + Send + 'a>>;

/// Why a secret could not be read or kept. No variant ever carries a value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The state database did not answer.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file that should hold a secret or a key cannot be read or written.
    #[error("{what} {}: {source}", .path.display())]
    File {
        /// What was tried: "cannot read".
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// A file with a secret or a key can be read by others.
    #[error("{} has mode {found:03o}, expected 600 or 400: others could read the secret; run `chmod 600` on it", .path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        found: u32,
    },
    /// A value is too long.
    #[error("found a secret of {found} bytes, expected at most {LONGEST}")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// The key file does not hold a key.
    #[error("{} holds {found} characters, expected 64 hex digits; `wharf secrets rotate-key` makes a new key", .path.display())]
    KeyFormat {
        /// The file.
        path: PathBuf,
        /// Characters found.
        found: usize,
    },
    /// It was sealed with another key.
    #[error(
        "secret {name:?} of module {module:?} was sealed with key {found}, the master key here is {expected}; give every node the same WHARF_MASTER_KEY_FILE, or set the secret again"
    )]
    OtherKey {
        /// Module.
        module: String,
        /// Name.
        name: String,
        /// Id of the key it was sealed with.
        found: String,
        /// Id of the key there is.
        expected: String,
    },
    /// What is stored was changed or moved after it was sealed.
    #[error(
        "secret {name:?} of module {module:?} cannot be opened: the stored form was damaged or moved; set it again with `wharf secrets set {module} {name}`"
    )]
    Damaged {
        /// Module.
        module: String,
        /// Name.
        name: String,
    },
    /// The system gave no random numbers, or a test made the step fail.
    #[error("cannot seal: {0}")]
    Seal(Box<dyn Error + Send + Sync>),
}

/// A place where values of secrets come from.
pub trait SecretSource: Send + Sync + fmt::Debug + 'static {
    /// The value this source has now; none when it has none. Dropping the future reads nothing.
    fn read<'a>(&'a self, module: &'a str, name: &'a str) -> SecretFuture<'a, Option<SecretBytes>>;

    /// Keeps `value` unless there is one, and gives what there is then: of several that do this at once all get the same. None
    /// when this source keeps nothing.
    fn make<'a>(&'a self, module: &'a str, name: &'a str, value: SecretBytes) -> SecretFuture<'a, Option<SecretBytes>> {
        let _ = (module, name, value);
        Box::pin(async { Ok(None) })
    }
}

/// Sources in the order in which they are asked; the first that has a value wins.
#[derive(Clone, Debug, Default)]
pub struct Secrets(Vec<Arc<dyn SecretSource>>);

impl Secrets {
    /// From sources.
    #[must_use]
    pub fn new(sources: Vec<Arc<dyn SecretSource>>) -> Self {
        Self(sources)
    }

    /// The value now; none when no source has one. [`MODULE_KEY`] is made when there is none.
    ///
    /// # Errors
    /// Of the first source that fails: a later one is not asked then, since it might have an older value.
    pub async fn read(&self, module: &str, name: &str) -> Result<Option<SecretBytes>, SecretError> {
        for source in &self.0 {
            if let Some(value) = source.read(module, name).await? {
                return Ok(Some(value));
            }
        }
        if name == MODULE_KEY {
            return self.make_key(module).await;
        }
        Ok(None)
    }

    async fn make_key(&self, module: &str) -> Result<Option<SecretBytes>, SecretError> {
        for source in &self.0 {
            let mut key = vec![0; 32];
            getrandom::fill(&mut key).map_err(|error| SecretError::Seal(error.to_string().into()))?;
            if let Some(kept) = source.make(module, MODULE_KEY, SecretBytes::new(key)).await? {
                return Ok(Some(kept));
            }
        }
        Ok(None)
    }
}

/// A secret as the host stores it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Module that may read it.
    pub module: String,
    /// Its name.
    pub name: String,
    /// Which key it was sealed with.
    pub key_id: String,
    /// Nonce and ciphertext.
    pub sealed: Vec<u8>,
    /// When it was set.
    pub changed: Timestamp,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({}/{}, key {})", self.module, self.name, self.key_id)
    }
}

/// The table of sealed secrets: part of the host's state database.
pub trait SealedStore: Send + Sync + fmt::Debug + 'static {
    /// One; none when there is none.
    fn sealed<'a>(&'a self, module: &'a str, name: &'a str) -> StateFuture<'a, Option<Sealed>>;
    /// All, by module and name.
    fn all_sealed(&self) -> StateFuture<'_, Vec<Sealed>>;
    /// Keeps one in place of the one of the same module and name. Durable when the future is ready.
    fn put_sealed<'a>(&'a self, sealed: &'a Sealed) -> StateFuture<'a, ()>;
    /// Keeps one unless there is one of the same module and name; whether it did. Durable when the future is ready.
    fn add_sealed<'a>(&'a self, sealed: &'a Sealed) -> StateFuture<'a, bool>;
    /// Puts each second in place of its first, if that is still there as it was; all in one transaction. How many were replaced.
    fn reseal<'a>(&'a self, pairs: &'a [(Sealed, Sealed)]) -> StateFuture<'a, u64>;
    /// Forgets one; whether there was one.
    fn delete_sealed<'a>(&'a self, module: &'a str, name: &'a str) -> StateFuture<'a, bool>;
}
