//! Stages 1 to 4 for one library, in order. No module code runs: the library is read, never mapped.

#![allow(
    clippy::result_large_err,
    reason = "a finding is made a few times a load, and never where it costs"
)]

mod config;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use wharf_manifest::{Abi, Manifest};

pub(in crate::modules) use config::{check_config, with_settings};
pub use manifest::check_manifest;

use super::inspect::{InspectRules, inspect};
use super::place::{Contents, Folder, PlaceRules, PrivateFolder, hex};
use super::trust::{Claims, MAX_SIGNATURE_FILE, TrustMode, TrustPolicy, signature_path};
use crate::domain::finding::Finding;
use crate::domain::finding::kind;

/// Everything a module is judged by.
#[derive(Clone, Debug)]
pub struct VerifyContext {
    /// Stage 1.
    pub place: PlaceRules,
    /// Stage 2.
    pub trust: Arc<TrustPolicy>,
    /// Stage 3.
    pub inspect: InspectRules,
    /// The ABI this host speaks.
    pub abi: Abi,
    /// Core services this host has, with their major versions.
    pub services: BTreeMap<String, BTreeSet<u32>>,
    /// Sections of the configuration, by module id.
    pub configs: BTreeMap<String, Value>,
    /// The time, for keys that expire.
    pub now: Timestamp,
}

/// A library in a folder that was checked, not judged itself yet.
#[derive(Debug)]
pub struct Candidate<'a> {
    folder: &'a Folder,
    name: &'a OsStr,
}

/// A library for which stages 1 to 4 held, read into memory.
#[derive(Clone, Debug)]
pub struct Checked {
    /// Where it lies.
    pub file: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Encoded `FileDescriptorSet`; empty when there is none.
    pub descriptors: Vec<u8>,
    /// GNU build id, or the UUID of a Mach-O file.
    pub build_id: Option<Vec<u8>>,
    /// What was signed, when a signature was asked for.
    pub signed: Option<Claims>,
    contents: Contents,
}

/// A library for which stages 1 to 4 held, with the private copy that may be opened.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Where it lies.
    pub file: PathBuf,
    /// The private copy: what was checked, byte for byte.
    pub copy: PathBuf,
    /// Its manifest.
    pub manifest: Manifest,
    /// Encoded `FileDescriptorSet`; empty when there is none.
    pub descriptors: Vec<u8>,
    /// GNU build id, or the UUID of a Mach-O file.
    pub build_id: Option<Vec<u8>>,
    /// SHA-256, lower-case hexadecimal.
    pub hash: String,
    /// What was signed, when a signature was asked for.
    pub signed: Option<Claims>,
}

impl<'a> Candidate<'a> {
    /// A file in a folder.
    #[must_use]
    pub fn new(folder: &'a Folder, name: &'a OsStr) -> Self {
        Self { folder, name }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(self.name)
    }

    /// Stages 1 to 4, in memory: nothing is written anywhere.
    ///
    /// # Errors
    /// All findings of the first stage that does not hold.
    pub fn check(&self, context: &VerifyContext) -> Result<Checked, Vec<Finding>> {
        self.stages(context).map_err(|findings| {
            let path = self.path();
            findings
                .into_iter()
                .map(|finding| if finding.file.is_none() { finding.in_file(&path) } else { finding })
                .collect()
        })
    }

    /// Stages 1 to 4, and a private copy of what was checked.
    ///
    /// # Errors
    /// All findings of the first stage that does not hold.
    pub fn verify(&self, context: &VerifyContext, private: &PrivateFolder) -> Result<Verified, Vec<Finding>> {
        self.check(context)?.store(private).map_err(|finding| vec![finding])
    }

    fn stages(&self, context: &VerifyContext) -> Result<Checked, Vec<Finding>> {
        let one = |finding| vec![finding];
        let contents = self.folder.file(self.name, &context.place)?.read().map_err(one)?;
        let signature = self.signature(context)?;
        let signed = context
            .trust
            .check_file(&contents.hash, signature.as_deref(), context.now)
            .map_err(one)?;
        let inspected = inspect(&contents.bytes, &context.inspect)?;
        let manifest = inspected.manifest;
        let mut findings = context.trust.check_identity(signed.as_ref(), &manifest.id, &manifest.version);
        findings.extend(check_manifest(&manifest, &inspected.descriptors, context));
        if !findings.is_empty() {
            return Err(findings.into_iter().map(|finding| finding.about(&manifest.id)).collect());
        }
        let (descriptors, build_id) = (inspected.descriptors, inspected.build_id);
        Ok(Checked {
            file: self.path(),
            manifest,
            descriptors,
            build_id,
            signed,
            contents,
        })
    }

    /// The signature file, if one is asked for and there. It is held to the same rules of place as the library.
    fn signature(&self, context: &VerifyContext) -> Result<Option<Vec<u8>>, Vec<Finding>> {
        if context.trust.mode != TrustMode::Signed {
            return Ok(None);
        }
        let path = signature_path(Path::new(self.name));
        let rules = PlaceRules {
            max_size: MAX_SIGNATURE_FILE,
            ..context.place
        };
        if std::fs::symlink_metadata(self.folder.path().join(&path)).is_err() {
            return Ok(None);
        }
        let contents = self
            .folder
            .file(path.as_os_str(), &rules)?
            .read()
            .map_err(|finding| vec![finding])?;
        Ok(Some(contents.bytes))
    }
}

impl Checked {
    /// SHA-256, lower-case hexadecimal.
    #[must_use]
    pub fn hash(&self) -> String {
        hex(&self.contents.hash)
    }

    /// Writes the private copy.
    ///
    /// # Errors
    /// `place.copy-failed`.
    pub fn store(self, private: &PrivateFolder) -> Result<Verified, Finding> {
        let copy = private
            .store(&self.manifest.id, &self.contents)
            .map_err(|finding| finding.about(&self.manifest.id))?;
        let hash = self.hash();
        let Self {
            file,
            manifest,
            descriptors,
            build_id,
            signed,
            ..
        } = self;
        Ok(Verified {
            file,
            copy,
            manifest,
            descriptors,
            build_id,
            hash,
            signed,
        })
    }
}

/// Opens the folder a file lies in and splits off the name.
///
/// # Errors
/// Every finding about the folder, or that the path names no file.
pub(super) fn folder_of(path: &Path, rules: &PlaceRules) -> Result<(Folder, std::ffi::OsString), Vec<Finding>> {
    let absolute = std::path::absolute(path).ok();
    let parts = absolute.as_deref().and_then(|path| Some((path.parent()?, path.file_name()?)));
    let Some((parent, name)) = parts else {
        let finding = Finding::new(&kind::FILE_UNREADABLE, format!("{} names no file", path.display()));
        return Err(vec![finding.in_file(path)]);
    };
    let folder = Folder::open(parent, rules)?;
    Ok((folder, name.to_owned()))
}
