//! What the module says of itself in the host's metrics.

use wharf_sdk::services::metrics::Counter;
use wharf_sdk::{Context, Fault};

use crate::recorder::Outcome;

/// Counters of events, tried ones included: a transaction that is rolled back is not taken back here.
#[derive(Clone, Debug)]
pub(crate) struct Meters {
    recorded: Counter,
    duplicates: Counter,
    late: Counter,
}

impl Meters {
    pub(crate) fn new(ctx: &Context) -> Result<Self, Fault> {
        let metrics = ctx.metrics()?;
        Ok(Self {
            recorded: metrics.counter("analytics_events_total", "Events that were counted", &[])?,
            duplicates: metrics.counter("analytics_duplicates_total", "Events that had been counted before", &[])?,
            late: metrics.counter(
                "analytics_late_total",
                "Events that came too late for buckets of a minute or an hour",
                &[],
            )?,
        })
    }

    pub(crate) fn count(&self, outcome: &Outcome) {
        for (counter, n) in [
            (&self.recorded, outcome.recorded),
            (&self.duplicates, outcome.duplicates),
            (&self.late, outcome.late),
        ] {
            if n > 0 {
                counter.add(n as f64);
            }
        }
    }
}
