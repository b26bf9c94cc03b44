//! The signature file, `NAME.so.sig`: what is claimed of a library, and the signature over those claims.
//!
//! A small JSON object. What is signed is not the JSON but a fixed text made from the claims, one a line, so that
//! no freedom in writing JSON matters.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use semver::Version;
use serde::{Deserialize, Serialize};
use wharf_manifest::is_module_id;

use super::key::is_key_id;

/// What the name of a signature file adds to that of the library.
pub const SIGNATURE_SUFFIX: &str = ".sig";
/// Largest signature file, in bytes.
pub const MAX_SIGNATURE_FILE: u64 = 8 << 10;

const FORMAT: u32 = 1;

/// What a signature says of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claims {
    /// Module id.
    pub id: String,
    /// Module version.
    pub version: Version,
    /// SHA-256 of the library.
    pub hash: [u8; 32],
    /// Name of the key.
    pub key: String,
    /// When it was signed.
    pub time: Timestamp,
}

/// Claims and the signature over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// What is claimed.
    pub claims: Claims,
    /// ed25519 signature over the claims.
    pub signature: [u8; 64],
}

/// The file as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: u32,
    id: String,
    version: Version,
    sha256: String,
    key: String,
    time: Timestamp,
    signature: String,
}

impl Claims {
    /// What is signed. No value can contain a line break, so no two sets of claims give the same text.
    pub(super) fn message(&self) -> Vec<u8> {
        let Self {
            id,
            version,
            hash,
            key,
            time,
        } = self;
        let hash = crate::modules::place::hex(hash);
        format!("wharf module signature\nformat {FORMAT}\nid {id}\nversion {version}\nsha256 {hash}\nkey {key}\ntime {time}\n").into_bytes()
    }
}

impl Envelope {
    /// Reads a signature file.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let format: Option<u64> = serde_json::from_slice::<serde_json::Value>(bytes)
            .map_err(|error| format!("it is no JSON: {error}"))?
            .get("format")
            .and_then(serde_json::Value::as_u64);
        if format != Some(u64::from(FORMAT)) {
            return Err(format!(
                "found format {}, expected {FORMAT}",
                format.map_or("none".to_owned(), |found| found.to_string())
            ));
        }
        let written: Written = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if !is_module_id(&written.id) || !is_key_id(&written.key) {
            return Err(format!(
                "found id {:?} and key {:?}, expected a module id and the name of a key",
                written.id, written.key
            ));
        }
        let hash = unhex(&written.sha256)
            .ok_or_else(|| format!("found sha256 {:?}, expected 64 lower-case hexadecimal digits", written.sha256))?;
        let signature = STANDARD
            .decode(&written.signature)
            .ok()
            .and_then(|bytes| <[u8; 64]>::try_from(bytes).ok());
        let signature = signature.ok_or("the signature is not 64 bytes in base64")?;
        let claims = Claims {
            id: written.id,
            version: written.version,
            hash,
            key: written.key,
            time: written.time,
        };
        Ok(Self { claims, signature })
    }

    /// The signature file.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Claims {
            id,
            version,
            hash,
            key,
            time,
        } = &self.claims;
        let written = Written {
            format: FORMAT,
            id: id.clone(),
            version: version.clone(),
            sha256: crate::modules::place::hex(hash),
            key: key.clone(),
            time: *time,
            signature: STANDARD.encode(self.signature),
        };
        // Strings, a number and a time always have a JSON form.
        serde_json::to_string_pretty(&written).unwrap_or_default() + "\n"
    }
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |byte: &u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text
        .as_bytes()
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => Some(digit(high)? << 4 | digit(low)?),
            _ => None,
        })
        .collect();
    bytes?.try_into().ok()
}
