//! Keys: made here, kept in a file of mode 0600, used to sign libraries.

use std::fmt;
use std::fs::{OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use jiff::Timestamp;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, Zeroizing};

use super::TrustKey;
use super::envelope::{Claims, Envelope, SIGNATURE_SUFFIX};
use crate::domain::finding::Finding;
use crate::modules::inspect::{InspectRules, inspect};

/// A private key with its name. The secret never appears in `Debug`, errors or logs, and is overwritten when dropped.
pub struct KeyPair {
    id: String,
    signing: SigningKey,
}

/// Why a key or a signature could not be made, read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// The name is none a key can have.
    #[error("found the key name {0:?}, expected 1 to 64 of a-z, 0-9, - _ and ., beginning with a letter or digit")]
    KeyId(String),
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes: {0}")]
    Random(String),
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Others may read the private key.
    #[error("{}: found mode {mode:04o}, expected 0600; chmod 600 it, and consider the key known to others", path.display())]
    KeyMode {
        /// Which.
        path: PathBuf,
        /// The mode found.
        mode: u32,
    },
    /// The file holds no private key.
    #[error("{}: this is no private key written by `wharf keys new`", path.display())]
    KeyFile {
        /// Which.
        path: PathBuf,
    },
    /// The library is no module.
    #[error("{}: only a sound module can be signed: {}", path.display(), first(findings))]
    NotAModule {
        /// Which.
        path: PathBuf,
        /// Everything that is wrong with it.
        findings: Vec<Finding>,
    },
}

/// The private key as it is kept.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile<'a> {
    format: u32,
    id: &'a str,
    private: &'a str,
}

impl KeyPair {
    /// Makes a new key.
    ///
    /// # Errors
    /// [`TrustError::KeyId`], [`TrustError::Random`].
    pub fn generate(id: &str) -> Result<Self, TrustError> {
        if !is_key_id(id) {
            return Err(TrustError::KeyId(id.to_owned()));
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|error| TrustError::Random(error.to_string()))?;
        Ok(Self {
            id: id.to_owned(),
            signing: SigningKey::from_bytes(&seed),
        })
    }

    /// Writes the private key to a new file of mode 0600. A file that is there already is never overwritten.
    ///
    /// # Errors
    /// [`TrustError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), TrustError> {
        let mut private = Zeroizing::new(String::with_capacity(44));
        STANDARD.encode_string(self.signing.as_bytes(), &mut private);
        let file = KeyFile {
            format: 1,
            id: &self.id,
            private: &private,
        };
        // Large enough that it never grows: a buffer that moves leaves its old content behind.
        let mut json = Zeroizing::new(Vec::with_capacity(1024));
        let written = serde_json::to_writer_pretty(&mut *json, &file)
            .map_err(std::io::Error::from)
            .and_then(|()| {
                json.push(b'\n');
                let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
                file.write_all(&json)?;
                file.sync_all()
            });
        written.map_err(|source| TrustError::Io {
            path: path.to_owned(),
            source,
        })
    }

    /// Reads a private key. The file must be readable by its owner alone.
    ///
    /// # Errors
    /// [`TrustError::Io`], [`TrustError::KeyMode`], [`TrustError::KeyFile`].
    pub fn load(path: &Path) -> Result<Self, TrustError> {
        let io = |source| TrustError::Io {
            path: path.to_owned(),
            source,
        };
        let no_link = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
        let file = OpenOptions::new().read(true).custom_flags(no_link).open(path).map_err(io)?;
        let mode = file.metadata().map_err(io)?.mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(TrustError::KeyMode {
                path: path.to_owned(),
                mode,
            });
        }
        let mut json = Zeroizing::new(Vec::with_capacity(1024));
        file.take(1024).read_to_end(&mut json).map_err(io)?;
        Self::parse(&json).ok_or_else(|| TrustError::KeyFile { path: path.to_owned() })
    }

    fn parse(json: &[u8]) -> Option<Self> {
        let file: KeyFile<'_> = serde_json::from_slice(json).ok()?;
        // Room for what base64 estimates, which is a little more than the 32 bytes of a key.
        let mut seed = Zeroizing::new([0; 36]);
        let length = STANDARD.decode_slice(file.private, seed.as_mut()).ok()?;
        let seed: &[u8; 32] = seed.get(..length)?.try_into().ok()?;
        let sound = file.format == 1 && is_key_id(file.id);
        sound.then(|| Self {
            id: file.id.to_owned(),
            signing: SigningKey::from_bytes(seed),
        })
    }

    /// Name of the key.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public part, as it stands in the configuration of hosts.
    #[must_use]
    pub fn public(&self) -> TrustKey {
        let public = STANDARD.encode(self.signing.verifying_key().as_bytes());
        TrustKey {
            id: self.id.clone(),
            public,
            not_before: None,
            expires: None,
            revoked: false,
        }
    }

    /// Signs claims. The claims are made to name this key.
    #[must_use]
    pub fn sign(&self, claims: Claims) -> Envelope {
        let claims = Claims {
            key: self.id.clone(),
            ..claims
        };
        let signature = self.signing.sign(&claims.message()).to_bytes();
        Envelope { claims, signature }
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyPair").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Signs a library and writes the signature file beside it, replacing an older one at once. Returns its path.
///
/// # Errors
/// [`TrustError::Io`]; [`TrustError::NotAModule`] when the library would be refused anyway.
pub fn sign_file(library: &Path, key: &KeyPair, rules: &InspectRules, now: Timestamp) -> Result<PathBuf, TrustError> {
    let io = |path: &Path, source| TrustError::Io {
        path: path.to_owned(),
        source,
    };
    let bytes = std::fs::read(library).map_err(|source| io(library, source))?;
    let inspected = inspect(&bytes, rules).and_then(|inspected| {
        let problems = inspected.manifest.check();
        if problems.is_empty() {
            Ok(inspected)
        } else {
            Err(problems.iter().map(Finding::from_problem).collect())
        }
    });
    let manifest = inspected
        .map_err(|findings| TrustError::NotAModule {
            path: library.to_owned(),
            findings,
        })?
        .manifest;
    let hash = Sha256::digest(&bytes).into();
    let envelope = key.sign(Claims {
        id: manifest.id,
        version: manifest.version,
        hash,
        key: String::new(),
        time: whole_second(now),
    });
    let path = signature_path(library);
    let mut part = path.clone().into_os_string();
    part.push(format!(".{}", std::process::id()));
    let part = PathBuf::from(part);
    write_public(&part, &envelope.to_json()).map_err(|source| io(&part, source))?;
    std::fs::rename(&part, &path).map_err(|source| io(&path, source))?;
    Ok(path)
}

/// Writes a file that everybody may read and only its owner may write, whatever the umask.
fn write_public(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path)?;
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Where the signature of a library lies: `NAME.so.sig`.
#[must_use]
pub fn signature_path(library: &Path) -> PathBuf {
    let mut path = library.as_os_str().to_owned();
    path.push(SIGNATURE_SUFFIX);
    PathBuf::from(path)
}

/// Whether a key can have this name.
pub(super) fn is_key_id(id: &str) -> bool {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (1..=64).contains(&id.len()) && id.bytes().next().is_some_and(inner) && id.bytes().all(|b| inner(b) || matches!(b, b'-' | b'_' | b'.'))
}

/// Reads a public key.
pub(super) fn public_key(text: &str) -> Result<VerifyingKey, &'static str> {
    let bytes = STANDARD.decode(text).map_err(|_| "it is no base64")?;
    let bytes: [u8; 32] = bytes.try_into().map_err(|mut bytes: Vec<u8>| {
        // Somebody may have put the private key here.
        bytes.zeroize();
        "it is not 32 bytes long"
    })?;
    let key = VerifyingKey::from_bytes(&bytes).map_err(|_| "it is no point on the curve")?;
    if key.is_weak() {
        Err("it is a weak key that fits any signature")
    } else {
        Ok(key)
    }
}

fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

fn first(findings: &[Finding]) -> String {
    findings.first().map(|finding| finding.what.clone()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_which_only_its_owner_reads() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("release.key");
        let key = KeyPair::generate("release-2026").unwrap();
        key.save(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(KeyPair::load(&path).unwrap().public(), key.public());
        assert!(matches!(key.save(&path), Err(TrustError::Io { .. })), "never overwritten");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(KeyPair::load(&path), Err(TrustError::KeyMode { mode: 0o640, .. })));
    }

    #[test]
    fn no_secret_is_in_debug_or_errors() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("release.key");
        let key = KeyPair::generate("release").unwrap();
        key.save(&path).unwrap();
        let secret = STANDARD.encode(key.signing.as_bytes());
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains(&secret));
        std::fs::write(&path, text.replace("\"format\": 1", "\"format\": 1, \"more\": 1")).unwrap();
        let error = KeyPair::load(&path).unwrap_err();
        for shown in [format!("{key:?}"), format!("{error}"), format!("{error:?}")] {
            assert!(!shown.contains(&secret), "{shown}");
        }
    }

    #[test]
    fn key_names_are_plain() {
        for (id, expected) in [
            ("release-2026.a_b", true),
            ("", false),
            ("-a", false),
            ("a b", false),
            ("a\nb", false),
            ("A", false),
        ] {
            assert_eq!(is_key_id(id), expected, "{id:?}");
        }
    }
}
