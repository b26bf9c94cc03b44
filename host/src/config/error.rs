//! What can be wrong with a configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use figment::error::{Actual, Kind};
use serde::Serialize;

/// Why a configuration was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file that was named could not be read.
    #[error("cannot read {path} (named by {named_by}): {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Who named it: an option, an environment variable.
        named_by: String,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML. The detail has line and column.
    #[error("{path} is not TOML: {detail}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        detail: String,
    },
    /// Everything else that was found, all at once.
    #[error("{}", lines(.0))]
    Problems(Vec<Problem>),
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Dotted path of the key: `http.header_timeout`.
    pub path: String,
    /// Value found and value expected.
    pub what: String,
    /// Where the value came from: a file, an environment variable, an option.
    pub source: String,
    /// How to mend it.
    pub hint: String,
}

impl ConfigError {
    /// The problems, if the configuration could be read at all.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Problems(problems) => problems,
            _ => &[],
        }
    }

    /// What to do about it, in a sentence.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Read { .. } => "name a file that exists and can be read".to_owned(),
            Self::Syntax { .. } => "mend the file at the place shown; `wharf config schema` describes every key".to_owned(),
            Self::Problems(problems) => problems.first().map(|p| p.hint.clone()).unwrap_or_default(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (from {})", self.path, self.what, self.source)?;
        if self.hint.is_empty() {
            Ok(())
        } else {
            write!(f, "; {}", self.hint)
        }
    }
}

/// Turns what figment says about one value into a problem. A secret's value is not repeated.
pub(super) fn from_figment(error: &figment::Error, secret: bool) -> Problem {
    let path = error.path.join(".");
    let source = error.metadata.as_ref().map_or_else(|| "default".to_owned(), |m| m.name.to_string());
    let (what, hint) = match &error.kind {
        Kind::InvalidType(actual, expected) | Kind::InvalidValue(actual, expected) => (
            format!("found {}, expected {}", found(actual, secret), wanted(expected)),
            String::new(),
        ),
        Kind::UnknownVariant(variant, expected) => (
            format!("found {variant:?}, expected one of: {}", expected.join(", ")),
            String::new(),
        ),
        Kind::MissingField(field) => (format!("`{field}` is missing"), format!("add `{field}`")),
        Kind::Message(text) => (text.clone(), String::new()),
        other => (other.to_string(), String::new()),
    };
    let hint = if hint.is_empty() {
        format!("`wharf config schema` describes `{path}`")
    } else {
        hint
    };
    Problem { path, what, source, hint }
}

fn found(actual: &Actual, secret: bool) -> String {
    match actual {
        _ if secret => "a secret of another kind".to_owned(),
        Actual::Str(text) => format!("text {text:?}"),
        Actual::Unsigned(number) => format!("number {number}"),
        Actual::Signed(number) => format!("number {number}"),
        Actual::Float(number) => format!("number {number}"),
        Actual::Bool(value) => format!("{value}"),
        Actual::Seq => "a list".to_owned(),
        Actual::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// Names of Rust types in words.
fn wanted(expected: &str) -> &str {
    match expected {
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "a string" => "text",
        "a boolean" => "true or false",
        other if other.starts_with("struct ") || other == "a map" => "a table",
        "a sequence" => "a list",
        other => other,
    }
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}
