//! Exit codes, and failures as a person and a program read them.

use std::error::Error;
use std::process::ExitCode;

use serde::Serialize;
use wharf_host::config::ConfigError;
use wharf_host::domain::finding::Finding;
use wharf_host::modules::control::ControlError;

/// How it went. `docs/operations/cli.md` and `--help` list the same numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Something failed that none of the others names.
    Failed = 1,
    /// The command line or the configuration is wrong; nothing was done.
    Usage = 2,
    /// The check ran, and found errors.
    Findings = 3,
    /// No host answers.
    NoHost = 4,
    /// The host answered and refused.
    Refused = 5,
    /// `serve` stopped at its deadline with work unfinished.
    CutOff = 6,
}

/// The last lines of `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  wrong command line or configuration; nothing was done
  3  the check ran and found errors
  4  no host answers
  5  the host refused
  6  serve stopped at its deadline with work unfinished

Environment:
  WHARF_CONFIG          the configuration file, like --config
  WHARF_SECTION__KEY    a setting, such as WHARF_HTTP__PORT=8080
  WHARF_SERVER          a host somewhere else, like --server
  WHARF_API_KEY         an API key, instead of a login
  NO_COLOR              no colours";

/// Why a command did not do what it was asked.
#[derive(Debug, Serialize)]
pub(crate) struct Failure {
    #[serde(skip)]
    pub(crate) exit: Exit,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) hint: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) findings: Vec<Finding>,
}

/// An error and its causes, each said once: some errors name their cause themselves.
pub(crate) fn told(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        source = cause.source();
    }
    message
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.into(),
            hint: hint.into(),
            findings: Vec::new(),
        }
    }

    /// Something outside failed: what was tried, what came back, what to do.
    pub(crate) fn failed(doing: &str, cause: &str, hint: &str) -> Self {
        Self::new(Exit::Failed, "failed", format!("{doing}: {cause}"), hint)
    }

    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message, hint)
    }
}

impl From<ControlError> for Failure {
    fn from(error: ControlError) -> Self {
        let exit = if error.code.starts_with("internal") {
            Exit::Failed
        } else {
            Exit::Refused
        };
        Self {
            exit,
            code: error.code,
            message: error.message,
            hint: error.hint,
            findings: error.findings,
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::new(Exit::Usage, "config.invalid", error.to_string(), error.hint())
    }
}
