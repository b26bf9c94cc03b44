//! What an error looks like when it crosses the ABI.

use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// What kind of fault. May grow: a reader treats a code it does not know as [`FaultCode::INTERNAL`].
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FaultCode(pub u16);

impl FaultCode {
    /// Something is broken that the caller cannot mend.
    pub const INTERNAL: Self = Self(0);
    /// The other side panicked; the panic was caught there.
    pub const PANICKED: Self = Self(1);
    /// The manifest does not declare what was asked for; the message names the missing line.
    pub const UNDECLARED: Self = Self(2);
    /// The host (or module) has no service (or export) of that name and major.
    pub const UNSUPPORTED: Self = Self(3);
    /// Name and major match, the layouts do not: one side was built from a changed copy.
    pub const LAYOUT: Self = Self(4);
    /// An argument is not acceptable.
    pub const INVALID: Self = Self(5);
    /// The instance was stopped or retired.
    pub const STOPPED: Self = Self(6);
    /// There is no such thing.
    pub const NOT_FOUND: Self = Self(7);
    /// It exists and cannot be reached now; try again later.
    pub const UNAVAILABLE: Self = Self(8);
    /// The deadline passed.
    pub const DEADLINE: Self = Self(9);
    /// The other side gave up the work, or its stream was cut.
    pub const CANCELLED: Self = Self(10);
    /// A limit was reached.
    pub const BUSY: Self = Self(11);
    /// The module's own code returned an error.
    pub const FAILED: Self = Self(12);
    /// The module's configuration does not fit its type.
    pub const CONFIG: Self = Self(13);

    /// It is not as the caller said it was: a condition of a write does not hold.
    pub const CONFLICT: Self = Self(14);
    /// There is no room left for it.
    pub const FULL: Self = Self(15);

    /// The name used in logs and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PANICKED => "panicked",
            Self::UNDECLARED => "undeclared",
            Self::UNSUPPORTED => "unsupported",
            Self::LAYOUT => "layout",
            Self::INVALID => "invalid",
            Self::STOPPED => "stopped",
            Self::NOT_FOUND => "not-found",
            Self::UNAVAILABLE => "unavailable",
            Self::DEADLINE => "deadline",
            Self::CANCELLED => "cancelled",
            Self::BUSY => "busy",
            Self::FAILED => "failed",
            Self::CONFIG => "config",
            Self::CONFLICT => "conflict",
            Self::FULL => "full",
            _ => "internal",
        }
    }
}

impl std::fmt::Debug for FaultCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}({})", self.name(), self.0)
    }
}

/// An error that crosses the ABI. The receiver owns it; its text lives in the sender's image, which stays mapped.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Fault {
    /// What kind.
    pub code: FaultCode,
    /// What happened and how to mend it, in one sentence.
    pub message: RString,
    /// The chain of causes, one a line; may be empty. For logs, never for clients.
    pub detail: RString,
}

impl Fault {
    /// A fault without a chain.
    #[must_use]
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self {
            code,
            message: RString::from(message.into()),
            detail: RString::new(),
        }
    }

    /// A fault from an error and its sources.
    #[must_use]
    pub fn from_error(code: FaultCode, error: &(dyn std::error::Error + 'static)) -> Self {
        let mut detail = String::new();
        let mut source = error.source();
        while let Some(cause) = source {
            if !detail.is_empty() {
                detail.push('\n');
            }
            detail.push_str(&cause.to_string());
            source = cause.source();
        }
        Self {
            code,
            message: RString::from(error.to_string()),
            detail: RString::from(detail),
        }
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}
