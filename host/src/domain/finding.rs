//! A finding: one thing that is wrong with one module, and how to mend it.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The stage of loading that made a finding. Each stage is safe because the ones before it held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Stage {
    /// 1: owner, permissions, links, size, private copy.
    Place,
    /// 2: hash and signature.
    Trust,
    /// 3: the object file, read without running it.
    Inspect,
    /// 4: the manifest on its own.
    Manifest,
    /// 5: the whole set of modules together.
    Resolve,
    /// 6: `dlopen`, header and layout.
    Open,
    /// 7: creating an instance.
    Create,
    /// After stage 7: migrate, start, run.
    Run,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Severity {
    /// The module loads; someone should look.
    Warning,
    /// The module does not load.
    Error,
}

/// One thing that is wrong, in at most three lines: what, why, how to mend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable, dotted, lower case: `inspect.truncated`, `resolve.cycle`.
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// The stage that made it.
    pub stage: Stage,
    /// Module id, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub module: Option<String>,
    /// The file the finding is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
    /// What is wrong: value found, value expected, where.
    pub what: String,
    /// Why that matters.
    pub why: String,
    /// What to do about it.
    pub fix: String,
}
