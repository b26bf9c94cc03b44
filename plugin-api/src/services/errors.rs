//! `errors`: report a failure once; the host logs and counts it and passes it to its sinks.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RSlice, RStr};

use super::log::LogField;

/// A failure, lent.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct ErrorReport<'a> {
    /// Stable, dotted: what kind of failure, for grouping.
    pub kind: RStr<'a>,
    /// What happened.
    pub message: RStr<'a>,
    /// Its causes, outermost first.
    pub chain: RSlice<'a, RStr<'a>>,
    /// Whatever helps to understand it. Never secrets.
    pub fields: RSlice<'a, LogField<'a>>,
}

/// The service.
#[sabi_trait]
pub trait Errors: Send + Sync + Clone + 'static {
    /// Reports. Never blocks.
    #[sabi(last_prefix_field)]
    fn report(&self, report: &ErrorReport<'_>);
}

/// The service object.
pub type ErrorsRef = Errors_TO<RArc<()>>;
