//! Takes spans out of the queue in batches, and sends one after the other.

use std::sync::Arc;
use std::time::Duration;

use metrics::Counter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::encode::Origin;
use super::send::{NotSent, Sender};
use crate::ports::traces::FinishedSpan;

/// Pauses before a batch is sent again; after the last it is dropped.
const AGAIN: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(4)];

type Spans = mpsc::Receiver<Arc<FinishedSpan>>;

/// The one task of a sink.
pub(super) struct Batcher {
    pub(super) origin: Origin,
    pub(super) sender: Sender,
    pub(super) every: Duration,
    pub(super) most: usize,
    pub(super) sent: Counter,
    pub(super) unreachable: Counter,
    pub(super) refused: Counter,
}

impl Batcher {
    /// Until the sink is dropped.
    pub(super) async fn run(self, mut spans: Spans, mut flushes: mpsc::Receiver<oneshot::Sender<()>>) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch = Vec::with_capacity(self.most);
        let mut is_failing = false;
        loop {
            let room = self.most.saturating_sub(batch.len());
            tokio::select! {
                taken = spans.recv_many(&mut batch, room) => {
                    if taken == 0 {
                        return;
                    }
                    if batch.len() >= self.most {
                        self.send(&mut batch, &mut is_failing).await;
                    }
                }
                _ = ticks.tick() => self.send(&mut batch, &mut is_failing).await,
                Some(done) = flushes.recv() => {
                    self.send_all(&mut spans, &mut batch, &mut is_failing).await;
                    // Whoever asked may not wait any more.
                    let _ = done.send(());
                }
            }
        }
    }

    /// What waits at this moment.
    async fn send_all(&self, spans: &mut Spans, batch: &mut Vec<Arc<FinishedSpan>>, is_failing: &mut bool) {
        while let Ok(span) = spans.try_recv() {
            batch.push(span);
            if batch.len() >= self.most {
                self.send(batch, is_failing).await;
            }
        }
        self.send(batch, is_failing).await;
    }

    /// Sends a batch, or drops it.
    async fn send(&self, batch: &mut Vec<Arc<FinishedSpan>>, is_failing: &mut bool) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len() as u64;
        match self.try_to_send(batch).await {
            Ok(rejected) => {
                self.sent.increment(count.saturating_sub(rejected));
                self.refused.increment(rejected);
                if std::mem::take(is_failing) {
                    tracing::info!("the collector takes spans again");
                }
            }
            Err(not_sent) => {
                let lost = if not_sent.may_try_again { &self.unreachable } else { &self.refused };
                lost.increment(count);
                // Once, not for each batch.
                if !std::mem::replace(is_failing, true) {
                    tracing::warn!(
                        error = not_sent.why,
                        "the collector does not take spans; they are dropped and counted until it does"
                    );
                }
            }
        }
        batch.clear();
    }

    /// Gives how many spans of it the collector does not want.
    async fn try_to_send(&self, batch: &[Arc<FinishedSpan>]) -> Result<u64, NotSent> {
        let request = self.origin.request(batch);
        let mut pauses = AGAIN.iter();
        loop {
            match self.sender.send(&request).await {
                Err(not_sent) if not_sent.may_try_again => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => return Err(not_sent),
                },
                outcome => return outcome,
            }
        }
    }
}
