//! The key that seals secrets, in a file of mode 0600.
//!
//! Each line of the file is a key of 64 hex digits. The first seals; the others only open what was sealed with them, which is
//! how a key is changed without a moment at which something cannot be read.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::read_now;
use crate::ports::secrets::{Sealed, SecretBytes, SecretError};

/// Nobody but the host's user may do anything with the key.
const FORBIDDEN: u32 = 0o077;
const NONCE: usize = 24;

/// One key.
struct MasterKey(Zeroizing<[u8; 32]>);

/// The keys of a file; never empty.
pub struct MasterKeys {
    path: PathBuf,
    keys: Vec<MasterKey>,
}

impl MasterKeys {
    /// Reads the file.
    ///
    /// # Errors
    /// [`SecretError`] when it is not there, can be read by others, or holds something else.
    pub fn load(path: &Path) -> Result<Self, SecretError> {
        let Some(text) = read_now(path, FORBIDDEN)? else {
            return Err(failed("cannot read", path)(std::io::ErrorKind::NotFound.into()));
        };
        let text = std::str::from_utf8(text.reveal()).unwrap_or_default();
        let keys: Option<Vec<_>> = text.split_ascii_whitespace().map(MasterKey::parse).collect();
        match keys {
            Some(keys) if !keys.is_empty() => Ok(Self {
                path: path.to_owned(),
                keys,
            }),
            _ => Err(SecretError::KeyFormat {
                path: path.to_owned(),
                found: text.trim().chars().count(),
            }),
        }
    }

    /// Makes the file with a new key, unless it is there already.
    ///
    /// # Errors
    /// [`SecretError`] when it cannot be written, or the system gives no random numbers.
    pub fn create(path: &Path) -> Result<(), SecretError> {
        if path.exists() {
            return Ok(());
        }
        let keys = Self {
            path: path.to_owned(),
            keys: vec![MasterKey::generate()?],
        };
        // Of two hosts that start at once one makes the key; it is whole when it can be seen.
        let draft = keys.write_draft(1)?;
        let linked = std::fs::hard_link(&draft, path);
        drop(std::fs::remove_file(&draft));
        match linked {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed("cannot make", path)(error)),
            _ => Ok(()),
        }
    }

    /// Puts a new key in front; the others stay to open what they sealed.
    ///
    /// # Errors
    /// As [`MasterKeys::create`].
    pub fn add(&mut self) -> Result<(), SecretError> {
        self.keys.insert(0, MasterKey::generate()?);
        let draft = self.write_draft(usize::MAX)?;
        std::fs::rename(&draft, &self.path).map_err(failed("cannot replace", &self.path))
    }

    /// Leaves only the first key in the file; here the others stay, to open what was sealed with them in the last moment.
    ///
    /// # Errors
    /// As [`MasterKeys::create`].
    pub fn keep_first(&self) -> Result<(), SecretError> {
        let draft = self.write_draft(1)?;
        std::fs::rename(&draft, &self.path).map_err(failed("cannot replace", &self.path))
    }

    /// Whether what was sealed with this key can be opened.
    #[must_use]
    pub fn knows(&self, key_id: &str) -> bool {
        self.keys.iter().any(|key| key.id() == key_id)
    }

    /// Id of the key that seals. It tells nothing of the key.
    #[must_use]
    pub fn id(&self) -> String {
        self.keys.first().map(MasterKey::id).unwrap_or_default()
    }

    /// Seals a value for one module and name.
    ///
    /// # Errors
    /// [`SecretError::Seal`] when the system gives no random numbers.
    pub fn seal(&self, module: &str, name: &str, value: &SecretBytes) -> Result<Sealed, SecretError> {
        let key = self.keys.first().ok_or_else(|| SecretError::Seal("there is no key".into()))?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| SecretError::Seal(error.to_string().into()))?;
        let bound = bound_to(module, name);
        let payload = Payload {
            msg: value.reveal(),
            aad: &bound,
        };
        let ciphertext = key
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SecretError::Seal("the value is too long".into()))?;
        Ok(Sealed {
            module: module.to_owned(),
            name: name.to_owned(),
            key_id: key.id(),
            sealed: [&nonce[..], &ciphertext].concat(),
            changed: jiff::Timestamp::now(),
        })
    }

    /// Opens what was sealed with any of the keys.
    ///
    /// # Errors
    /// [`SecretError::OtherKey`], or [`SecretError::Damaged`] when it was changed, or sealed for another module or name.
    pub fn open(&self, sealed: &Sealed) -> Result<SecretBytes, SecretError> {
        let Some(key) = self.keys.iter().find(|key| key.id() == sealed.key_id) else {
            return Err(SecretError::OtherKey {
                module: sealed.module.clone(),
                name: sealed.name.clone(),
                found: sealed.key_id.clone(),
                expected: self.id(),
            });
        };
        let damaged = || SecretError::Damaged {
            module: sealed.module.clone(),
            name: sealed.name.clone(),
        };
        let (nonce, ciphertext) = sealed.sealed.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        let bound = bound_to(&sealed.module, &sealed.name);
        let payload = Payload {
            msg: ciphertext,
            aad: &bound,
        };
        let value = key.cipher().decrypt(&XNonce::from(*nonce), payload);
        value.map(SecretBytes::new).map_err(|_| damaged())
    }

    /// The first keys in a file beside, on disk.
    fn write_draft(&self, count: usize) -> Result<PathBuf, SecretError> {
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        let draft = folder.join(format!(".master-key-{}", uuid::Uuid::now_v7().simple()));
        let write = || {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&draft)?;
            for key in self.keys.iter().take(count) {
                file.write_all(key.hex().as_bytes())?;
                file.write_all(b"\n")?;
            }
            file.sync_all()
        };
        write().map_err(failed("cannot write", &self.path))?;
        Ok(draft)
    }
}

impl MasterKey {
    fn generate() -> Result<Self, SecretError> {
        let mut key = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *key).map_err(|error| SecretError::Seal(error.to_string().into()))?;
        Ok(Self(key))
    }

    fn parse(hex: &str) -> Option<Self> {
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        let mut key = Zeroizing::new([0; 32]);
        for (byte, at) in key.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(key))
    }

    fn hex(&self) -> Zeroizing<String> {
        Zeroizing::new(self.0.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn id(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"wharf master key id 1\0");
        hash.update(*self.0);
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.0))
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MasterKeys")
            .field("path", &self.path)
            .field("id", &self.id())
            .finish_non_exhaustive()
    }
}

/// What a ciphertext belongs to: moved to another module or name, it does not open.
fn bound_to(module: &str, name: &str) -> Vec<u8> {
    format!("wharf secret 1\0{module}\0{name}").into_bytes()
}

fn failed<'a>(what: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> SecretError + use<'a> {
    move |source| SecretError::File {
        what,
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn value(text: &str) -> SecretBytes {
        SecretBytes::new(text.as_bytes().to_vec())
    }

    #[test]
    fn a_key_is_made_once_private_and_opens_what_it_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/master.key");
        MasterKeys::create(&path).unwrap();
        let first = std::fs::read(&path).unwrap();
        MasterKeys::create(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "a draft was left");
        let keys = MasterKeys::load(&path).unwrap();
        let sealed = keys.seal("blog", "key", &value("canary")).unwrap();
        assert!(!sealed.sealed.windows(6).any(|window| window == b"canary"));
        assert_eq!(keys.open(&sealed).unwrap().reveal(), b"canary");
        assert_ne!(keys.seal("blog", "key", &value("canary")).unwrap().sealed, sealed.sealed);
    }

    #[test]
    fn what_was_changed_or_moved_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKeys::create(&path).unwrap();
        let keys = MasterKeys::load(&path).unwrap();
        let sealed = keys.seal("blog", "key", &value("canary")).unwrap();
        let mut flipped = sealed.clone();
        *flipped.sealed.last_mut().unwrap() ^= 1;
        let moved = Sealed {
            module: "auth".to_owned(),
            ..sealed.clone()
        };
        let short = Sealed {
            sealed: vec![1, 2],
            ..sealed
        };
        for damaged in [flipped, moved, short] {
            assert!(matches!(keys.open(&damaged), Err(SecretError::Damaged { .. })));
        }
    }

    #[test]
    fn an_old_key_opens_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        MasterKeys::create(&path).unwrap();
        let mut keys = MasterKeys::load(&path).unwrap();
        let (sealed, old) = (keys.seal("blog", "key", &value("canary")).unwrap(), keys.id());
        keys.add().unwrap();
        assert_ne!(keys.id(), old);
        let again = MasterKeys::load(&path).unwrap();
        assert_eq!(again.id(), keys.id());
        assert_eq!(again.open(&sealed).unwrap().reveal(), b"canary");
        again.keep_first().unwrap();
        let error = MasterKeys::load(&path).unwrap().open(&sealed).unwrap_err();
        assert!(matches!(&error, SecretError::OtherKey { found, .. } if *found == old), "{error}");
    }

    #[test]
    fn a_file_that_is_open_to_others_or_holds_no_key_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        std::fs::write(&path, "canary").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let error = MasterKeys::load(&path).unwrap_err();
        assert!(
            matches!(error, SecretError::KeyFormat { found: 6, .. }) && !format!("{error:?}{error}").contains("canary"),
            "{error}"
        );
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(
            MasterKeys::load(&path).unwrap_err(),
            SecretError::Mode { found: 0o640, .. }
        ));
        assert!(MasterKeys::load(&folder.path().join("none")).is_err());
    }
}
