//! A finding: one thing that is wrong with one module, and how to mend it.

pub mod kind;
mod text;

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_manifest::{Problem, printable};

use self::kind::Kind;

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

impl Finding {
    /// A finding of one of the kinds in [`kind`]. Control characters in `what` become visible escapes.
    #[must_use]
    pub fn new(kind: &Kind, what: impl AsRef<str>) -> Self {
        Self {
            code: kind.code.to_owned(),
            severity: kind.severity,
            stage: kind.stage,
            module: None,
            file: None,
            what: printable(what.as_ref()).into_owned(),
            why: kind.why.to_owned(),
            fix: kind.fix.to_owned(),
        }
    }

    /// A problem of a manifest, as a finding of stage 4.
    #[must_use]
    pub fn from_problem(problem: &Problem) -> Self {
        let what = if problem.path.is_empty() {
            problem.message.clone()
        } else {
            format!("{}: {}", problem.path, problem.message)
        };
        let (why, fix) = problem.kind().map_or(("", ""), |kind| (kind.why, kind.fix));
        Self {
            code: problem.code.to_owned(),
            severity: Severity::Error,
            stage: Stage::Manifest,
            module: None,
            file: None,
            what: printable(&what).into_owned(),
            why: why.to_owned(),
            fix: fix.to_owned(),
        }
    }

    /// The same, about this module.
    #[must_use]
    pub fn about(mut self, module: &str) -> Self {
        self.module = Some(printable(module).into_owned());
        self
    }

    /// The same, about this file.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        self.file = Some(file.to_path_buf());
        self
    }

    /// The same, with a way to mend it that knows more than its kind does.
    #[must_use]
    pub fn mend(mut self, fix: impl AsRef<str>) -> Self {
        self.fix = printable(fix.as_ref()).into_owned();
        self
    }

    /// Whether it keeps the module from loading.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
