//! A finding for people: at most three lines, whatever a manifest contains.

use std::fmt;

use wharf_manifest::printable;

use super::{Finding, Severity, Stage};

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Place => "place",
            Self::Trust => "trust",
            Self::Inspect => "inspect",
            Self::Manifest => "manifest",
            Self::Resolve => "resolve",
            Self::Open => "open",
            Self::Create => "create",
            Self::Run => "run",
        })
    }
}

/// ```text
/// error inspect.truncated blog (libblog.so): segment 1 ends at byte 4096, the file has 1024
///   why: a library that ends early kills the whole process when it is loaded
///   fix: copy the file again, and rename it into place when it is complete
/// ```
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = if self.severity == Severity::Error { "error" } else { "warning" };
        write!(f, "{severity} {}", printable(&self.code))?;
        let file = self
            .file
            .as_deref()
            .and_then(|file| file.file_name())
            .map(|name| name.to_string_lossy());
        match (&self.module, &file) {
            (Some(module), Some(file)) => write!(f, " {} ({})", printable(module), printable(file))?,
            (Some(name), None) => write!(f, " {}", printable(name))?,
            (None, Some(name)) => write!(f, " {}", printable(name))?,
            (None, None) => {}
        }
        write!(f, ": {}", printable(&self.what))?;
        if !self.why.is_empty() {
            write!(f, "\n  why: {}", printable(&self.why))?;
        }
        if !self.fix.is_empty() {
            write!(f, "\n  fix: {}", printable(&self.fix))?;
        }
        Ok(())
    }
}
