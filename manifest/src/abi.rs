//! The ABI version and the rule that says which module fits which host.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A version of the ABI, such as `1.0` or `1.0-draft`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Abi {
    /// Frozen for ever once it is no draft.
    pub major: u32,
    /// Grows when something is added.
    pub minor: u32,
    /// A draft promises nothing: it fits the same draft and no other version.
    #[serde(default)]
    pub draft: bool,
}

/// Why a module does not fit a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AbiMismatch {
    /// The module was built for a later ABI.
    #[error("the module was built for ABI {module}, this host speaks {host}, which is older")]
    TooNew {
        /// What the module was built for.
        module: Abi,
        /// What the host speaks.
        host: Abi,
    },
    /// The module was built for an ABI the host no longer speaks.
    #[error("the module was built for ABI {module}, this host speaks {host} and nothing before it")]
    TooOld {
        /// What the module was built for.
        module: Abi,
        /// What the host speaks.
        host: Abi,
    },
}

impl Abi {
    /// Whether a host with this ABI can run a module built for `module`: the same major, a minor that is not
    /// later than the host's; a draft fits only itself.
    ///
    /// # Errors
    /// [`AbiMismatch`], which says in which direction the two differ.
    pub fn accepts(self, module: Self) -> Result<(), AbiMismatch> {
        let host = self;
        let fits = if host.draft || module.draft {
            host == module
        } else {
            host.major == module.major && host.minor >= module.minor
        };
        if fits {
            return Ok(());
        }
        if module.rank() > host.rank() {
            Err(AbiMismatch::TooNew { module, host })
        } else {
            Err(AbiMismatch::TooOld { module, host })
        }
    }

    /// A draft comes before the version it is a draft of.
    const fn rank(self) -> (u32, u32, bool) {
        (self.major, self.minor, !self.draft)
    }
}

impl fmt::Display for Abi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}{}", self.major, self.minor, if self.draft { "-draft" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn abi(major: u32, minor: u32, draft: bool) -> Abi {
        Abi { major, minor, draft }
    }

    #[test]
    fn a_module_fits_the_same_major_and_no_later_minor_and_a_draft_only_itself() {
        for (host, module, expected) in [
            (abi(1, 0, false), abi(1, 0, false), "ok"),
            (abi(1, 3, false), abi(1, 1, false), "ok"),
            (abi(1, 1, false), abi(1, 3, false), "new"),
            (abi(1, 9, false), abi(2, 0, false), "new"),
            (abi(2, 0, false), abi(1, 9, false), "old"),
            (abi(1, 0, true), abi(1, 0, true), "ok"),
            (abi(1, 0, true), abi(1, 0, false), "new"),
            (abi(1, 0, false), abi(1, 0, true), "old"),
            (abi(1, 1, true), abi(1, 0, true), "old"),
            (abi(1, 1, false), abi(1, 0, true), "old"),
        ] {
            let found = match host.accepts(module) {
                Ok(()) => "ok",
                Err(AbiMismatch::TooNew { .. }) => "new",
                Err(AbiMismatch::TooOld { .. }) => "old",
            };
            assert_eq!(found, expected, "host {host}, module {module}");
        }
    }
}
