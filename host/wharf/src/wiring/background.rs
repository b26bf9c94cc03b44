//! What a host does now and then as long as it runs.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Interval, MissedTickBehavior};
use wharf_host::ports::state::{NodeBeat, StateStore};
use wharf_host::telemetry::Metrics;

/// How often a node says that it is alive.
const BEAT: Duration = Duration::from_secs(2);
/// How often samples of metrics are folded together.
const UPKEEP: Duration = Duration::from_secs(5);

/// Ticks until the host stops.
struct Ticks {
    interval: Interval,
    stopping: watch::Receiver<bool>,
}

/// Says that this node is alive.
pub(super) async fn beat(state: Arc<dyn StateStore>, node: String, stopping: watch::Receiver<bool>) {
    let started = Timestamp::now();
    let mut failing = false;
    let mut ticks = Ticks::new(BEAT, stopping);
    while ticks.next().await {
        let (pid, version) = (std::process::id(), env!("CARGO_PKG_VERSION").to_owned());
        let beat = NodeBeat {
            node: node.clone(),
            pid,
            version,
            started,
            at: Timestamp::now(),
        };
        match state.beat(&beat).await {
            Ok(()) => failing = false,
            // Once, not every two seconds.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "heartbeat cannot be written");
            }
            Err(_) => {}
        }
    }
}

/// Folds samples of metrics together, so that they take no memory.
pub(super) async fn upkeep(metrics: Metrics, stopping: watch::Receiver<bool>) {
    let mut ticks = Ticks::new(UPKEEP, stopping);
    while ticks.next().await {
        metrics.upkeep();
    }
}

impl Ticks {
    fn new(period: Duration, stopping: watch::Receiver<bool>) -> Self {
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { interval, stopping }
    }

    /// `true` at each tick, the first at once; `false` when the host stops.
    async fn next(&mut self) -> bool {
        tokio::select! {
            _ = self.interval.tick() => true,
            // An error means that the sender is gone, which is an end too.
            _ = self.stopping.wait_for(|stop| *stop) => false,
        }
    }
}
