//! A report for people and for programs.

use std::fmt;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_manifest::printable;

use crate::domain::finding::Finding;
use crate::modules::place::hex;
use crate::modules::verify::Checked;

/// What stages 1 to 5 found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// The folder, when a whole one was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Every library that was looked at, by file.
    pub modules: Vec<ReportedModule>,
    /// Ids of everything that can run, linked in and running modules included, in start order.
    pub order: Vec<String>,
    /// Everything that is wrong, by file.
    pub findings: Vec<Finding>,
}

/// One library in a [`Report`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ReportedModule {
    /// The file.
    pub file: PathBuf,
    /// Whether it can be loaded.
    pub ok: bool,
    /// Module id, when stages 1 to 3 held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Module version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// One line from the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// SHA-256, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Build id, lower-case hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// Name of the key it is signed with, when a signature was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
    /// Permissions of other modules that it asks for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asks: Vec<String>,
}

impl Report {
    /// Whether nothing keeps any module from loading.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }
}

impl ReportedModule {
    /// A library for which stages 1 to 4 held.
    pub(super) fn sound(checked: &Checked) -> Self {
        Self {
            file: checked.file.clone(),
            ok: true,
            id: Some(checked.manifest.id.clone()),
            version: Some(checked.manifest.version.to_string()),
            description: Some(checked.manifest.description.clone()),
            hash: Some(checked.hash()),
            build_id: checked.build_id.as_deref().map(hex),
            signed_by: checked.signed.as_ref().map(|claims| claims.key.clone()),
            asks: checked.manifest.asks(),
        }
    }

    /// A library that did not get through stages 1 to 4.
    pub(super) fn refused(path: &Path, findings: &[Finding]) -> Self {
        Self {
            file: path.to_owned(),
            ok: false,
            id: findings.iter().find_map(|finding| finding.module.clone()),
            version: None,
            description: None,
            hash: None,
            build_id: None,
            signed_by: None,
            asks: Vec::new(),
        }
    }
}

/// One line a module, then at most three lines a finding. Nothing in it moves a cursor.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for module in &self.modules {
            let mark = if module.ok { "ok     " } else { "refused" };
            let file = module.file.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
            write!(f, "{mark} {}", printable(&file))?;
            if let Some(id) = &module.id {
                write!(f, "  {}", printable(id))?;
            }
            if let Some(version) = &module.version {
                write!(f, " {}", printable(version))?;
            }
            writeln!(f)?;
        }
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        Ok(())
    }
}
