//! `metrics`: counters, gauges and histograms with the label `module` added by the host.

use abi_stable::StableAbi;
use abi_stable::sabi_trait;
use abi_stable::std_types::{RArc, RResult, RSlice, RStr};

use crate::fault::Fault;

/// What a series measures. Unknown kinds are refused.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricKind(pub u8);

impl MetricKind {
    /// Only grows.
    pub const COUNTER: Self = Self(0);
    /// Goes up and down.
    pub const GAUGE: Self = Self(1);
    /// Distribution; seconds for durations, bytes for sizes.
    pub const HISTOGRAM: Self = Self(2);
}

/// One label, lent.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct Label<'a> {
    /// Name: `[a-zA-Z_][a-zA-Z0-9_]*`, not `module`.
    pub name: RStr<'a>,
    /// Value.
    pub value: RStr<'a>,
}

/// The service.
#[sabi_trait]
pub trait Metrics: Send + Sync + Clone + 'static {
    /// Finds or makes a series and gives its handle, to be kept by the caller. `INVALID` for a bad name or label, `BUSY`
    /// when the module has too many series.
    fn series(&self, kind: MetricKind, name: RStr<'_>, help: RStr<'_>, labels: RSlice<'_, Label<'_>>) -> RResult<u64, Fault>;

    /// Adds to a counter, sets a gauge, observes in a histogram. An unknown handle does nothing.
    #[sabi(last_prefix_field)]
    fn update(&self, series: u64, value: f64);
}

/// The service object.
pub type MetricsRef = Metrics_TO<RArc<()>>;
