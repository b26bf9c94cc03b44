//! The section of the library that carries manifest and descriptor set.
//!
//! `WHARF\0\0\x01` (8 bytes) · length of the JSON (u32, little endian) · length of the descriptor set (u32, little
//! endian) · JSON · descriptor set. Nothing follows: a longer section is two sections that the linker joined.

use serde_json::Value;

use crate::document;
use crate::model::Manifest;
use crate::problem::Problem;

/// Version of the section and of the JSON in it.
pub const FORMAT: u32 = 1;
/// Name of the section in ELF.
pub const SECTION_ELF: &str = ".wharf.manifest";
/// Name of the segment in Mach-O.
pub const SEGMENT_MACHO: &str = "__DATA";
/// Name of the section in Mach-O.
pub const SECTION_MACHO: &str = "__wharf";
/// Longest JSON, in bytes.
pub const MAX_JSON: usize = 1 << 20;
/// Longest descriptor set, in bytes.
pub const MAX_DESCRIPTORS: usize = 8 << 20;

const MAGIC: [u8; 7] = *b"WHARF\0\0";
const HEADER: usize = 16;

/// Why a section holds no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SectionError {
    /// The section does not begin with `WHARF\0\0`.
    #[error("the manifest section does not begin with WHARF")]
    BadMagic,
    /// The section was written in a form this build does not know.
    #[error("the manifest has format {found}, this build reads format {FORMAT}")]
    FormatUnknown {
        /// The format found.
        found: u64,
    },
    /// The section ends before what its header announces.
    #[error("the manifest section has {found} bytes, its header announces {expected}")]
    Truncated {
        /// Bytes there are.
        found: usize,
        /// Bytes there should be.
        expected: usize,
    },
    /// The section goes on after what its header announces.
    #[error("the manifest section has {extra} bytes after the manifest, as when two manifests are linked into one library")]
    Trailing {
        /// Bytes too many.
        extra: usize,
    },
    /// A part is longer than allowed.
    #[error("the {part} has {found} bytes, at most {limit} are allowed")]
    Oversized {
        /// `manifest` or `descriptor set`.
        part: &'static str,
        /// Bytes announced.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The JSON cannot be read.
    #[error("the manifest is no JSON: {0}")]
    NotJson(String),
    /// The JSON is no manifest.
    #[error("the manifest is malformed: {}", join(.0))]
    Malformed(Vec<Problem>),
}

/// Writes the section.
///
/// # Errors
/// [`SectionError::Oversized`] when manifest or descriptor set is longer than a host accepts.
pub fn encode_section(manifest: &Manifest, descriptors: &[u8]) -> Result<Vec<u8>, SectionError> {
    let json = serde_json::to_vec(manifest).map_err(|error| SectionError::NotJson(error.to_string()))?;
    let json_len = length("manifest", json.len(), MAX_JSON)?;
    let descriptors_len = length("descriptor set", descriptors.len(), MAX_DESCRIPTORS)?;
    let mut section = Vec::with_capacity(HEADER + json.len() + descriptors.len());
    section.extend_from_slice(&MAGIC);
    section.push(1);
    section.extend_from_slice(&json_len.to_le_bytes());
    section.extend_from_slice(&descriptors_len.to_le_bytes());
    section.extend_from_slice(&json);
    section.extend_from_slice(descriptors);
    Ok(section)
}

/// Reads a section: the manifest and the encoded `FileDescriptorSet` beside it. The manifest has the right types;
/// [`Manifest::check`] says whether it makes sense.
///
/// # Errors
/// [`SectionError`], the first thing that is wrong with the frame, or all that is wrong with the JSON.
pub fn decode_section(section: &[u8]) -> Result<(Manifest, &[u8]), SectionError> {
    let (magic, rest) = section.split_at_checked(MAGIC.len()).ok_or(SectionError::BadMagic)?;
    if magic != MAGIC {
        return Err(SectionError::BadMagic);
    }
    let Some((header, body)) = rest.split_first_chunk::<9>() else {
        return Err(SectionError::Truncated {
            found: section.len(),
            expected: HEADER,
        });
    };
    let [format, a, b, c, d, e, f, g, h] = *header;
    if u32::from(format) != FORMAT {
        return Err(SectionError::FormatUnknown { found: format.into() });
    }
    let json_len = announced("manifest", u32::from_le_bytes([a, b, c, d]), MAX_JSON)?;
    let descriptors_len = announced("descriptor set", u32::from_le_bytes([e, f, g, h]), MAX_DESCRIPTORS)?;
    let expected = HEADER + json_len + descriptors_len;
    if section.len() < expected {
        return Err(SectionError::Truncated {
            found: section.len(),
            expected,
        });
    }
    if section.len() > expected {
        return Err(SectionError::Trailing {
            extra: section.len() - expected,
        });
    }
    let (json, descriptors) = body.split_at_checked(json_len).ok_or(SectionError::BadMagic)?;
    Ok((read_json(json)?, descriptors))
}

fn read_json(json: &[u8]) -> Result<Manifest, SectionError> {
    let document: Value = serde_json::from_slice(json).map_err(|error| SectionError::NotJson(error.to_string()))?;
    // The format comes first: a later one may have any keys.
    if let Some(found) = document.get("format").and_then(Value::as_u64)
        && found != u64::from(FORMAT)
    {
        return Err(SectionError::FormatUnknown { found });
    }
    match document::read(document) {
        (Some(manifest), problems) if problems.is_empty() => Ok(manifest),
        (_, problems) => Err(SectionError::Malformed(problems)),
    }
}

fn length(part: &'static str, found: usize, limit: usize) -> Result<u32, SectionError> {
    u32::try_from(found)
        .ok()
        .filter(|_| found <= limit)
        .ok_or(SectionError::Oversized { part, found, limit })
}

fn announced(part: &'static str, found: u32, limit: usize) -> Result<usize, SectionError> {
    let found = usize::try_from(found).unwrap_or(usize::MAX);
    if found > limit {
        Err(SectionError::Oversized { part, found, limit })
    } else {
        Ok(found)
    }
}

fn join(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
