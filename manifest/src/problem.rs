//! A problem: one thing that is wrong with a manifest, and the table of all kinds.

use std::fmt;

/// One thing that is wrong with a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Stable, dotted: one of [`PROBLEM_KINDS`].
    pub code: &'static str,
    /// Where, such as `permissions[0].name`; empty for the document.
    pub path: String,
    /// Value found, value expected, how to mend.
    pub message: String,
    /// Where in `wharf.toml`, when it came from there and the place is known.
    pub position: Option<Position>,
}

/// A place in a text, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

/// What all problems with one code have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemKind {
    /// The code.
    pub code: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

macro_rules! kinds {
    ($($name:ident = $code:literal, $why:literal, $fix:literal;)*) => {
        /// Codes, one constant each.
        pub(crate) mod code {
            $(pub(crate) const $name: &str = $code;)*
        }

        /// All kinds of problems, in the order of the manifest.
        pub const PROBLEM_KINDS: &[ProblemKind] = &[$(ProblemKind { code: $code, why: $why, fix: $fix },)*];
    };
}

kinds! {
    SYNTAX = "manifest.syntax", "the text cannot be read", "write valid TOML";
    UNKNOWN_KEY = "manifest.unknown-key", "a key nobody reads is a mistake nobody sees", "remove the key, or mend its spelling";
    TYPE = "manifest.type", "a value of another type cannot be used", "write a value of the expected type";
    MISSING = "manifest.missing-key", "the manifest is not complete without it", "add the key";
    ID = "manifest.id", "the id names the module in routes, logs, permissions and its root symbol", "use 1 to 40 of a-z, 0-9 and -, beginning with a letter";
    VERSION = "manifest.version", "other modules ask for versions by range", "write a semantic version such as \"1.2.0\"";
    TEXT = "manifest.text", "such characters can hide or forge what an operator reads", "write one line of plain text";
    DESCRIPTION = "manifest.description", "operators see it beside the id", "write one line of at most 200 characters";
    ABI = "manifest.abi", "the ABI decides how host and module talk", "build the module with the SDK's export_module!";
    PANIC = "manifest.panic-abort", "a panic in the module would end the whole host", "build with panic = \"unwind\", which is cargo's default";
    MODULE = "manifest.module", "modules are found by their id", "name the other module by its id";
    RANGE = "manifest.range", "only a range can be compared with a version", "write a semver range such as \"^1.2\"";
    SERVICE = "manifest.service", "core services are found by name and major version", "write NAME = MAJOR, the major at least 1";
    PREFIX = "manifest.prefix", "the prefix decides which requests reach the module", "write a path such as \"/greeter\"";
    GRPC = "manifest.grpc", "calls are routed by the full name of the gRPC service", "write package and name, such as \"greeter.v1.Greeter\"";
    DESCRIPTORS = "manifest.descriptors", "without descriptors there is no policy, no reflection and no JSON for the gRPC services", "name the encoded FileDescriptorSet in grpc.descriptors";
    PERMISSION = "manifest.permission", "permissions of different modules must never mean each other", "begin with the module's id, such as \"greeter.greeting.write\"";
    SUBJECT = "manifest.subject", "subjects of different modules must never mean each other", "write dotted lower-case words; what the module publishes begins with its id";
    JOB = "manifest.job", "jobs are found by name", "use a lower-case word";
    SCHEDULE = "manifest.schedule", "a schedule that cannot be read never runs", "write five cron fields such as \"0 3 * * *\"";
    CACHE = "manifest.cache", "values of different versions are kept apart by this number", "write a whole number from 1 on";
    SECRET = "manifest.secret", "the name is part of a file name and of a variable's name", "use 1 to 64 of a-z, 0-9 and -, beginning with a letter and not ending in -file";
    DUPLICATE = "manifest.duplicate", "one of the two would be silently lost", "remove one of the two";
    PATH = "manifest.path", "the build reads only files inside the module's own folder", "write a path relative to wharf.toml without ..";
    SCHEMA = "manifest.config-schema", "configuration is checked against the schema before the module is created", "write a JSON schema of an object";
}

impl Problem {
    pub(crate) fn new(code: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code,
            path: path.into(),
            message: message.into(),
            position: None,
        }
    }

    /// What all problems with this code have in common.
    #[must_use]
    pub fn kind(&self) -> Option<&'static ProblemKind> {
        PROBLEM_KINDS.iter().find(|kind| kind.code == self.code)
    }
}

/// `line 3, column 6: id: found "Greeter", expected ...; use 1 to 40 of ...`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Position { line, column }) = self.position {
            write!(f, "line {line}, column {column}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", crate::text::printable(&self.path))?;
        }
        write!(f, "{}", crate::text::printable(&self.message))?;
        match self.kind() {
            Some(kind) => write!(f, "; {}", kind.fix),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
