//! What hosts watch: a snapshot, then each change within a second, on whatever node it was made.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use wharf_proto::authz::v1::PolicyUpdate;
use wharf_sdk::tonic::Status;
use wharf_sdk::{Context, tracing};

use crate::rulebook::Rulebook;

/// How often the epoch is looked at for changes of other nodes.
const LOOK: Duration = Duration::from_millis(500);
/// How often something is said when nothing changes.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Messages that wait for a slow watcher.
const WAITING: usize = 4;

/// What one watcher hears.
pub(crate) type Feed = ReceiverStream<Result<PolicyUpdate, Status>>;

/// Looks at the epoch until the instance ends.
pub(crate) async fn follow(ctx: Context, book: Arc<Rulebook>) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = ctx.sleep(LOOK) => {}
            () = book.woken.notified() => {}
        }
        match book.sync().await {
            Ok(()) => failing = false,
            // Once, not twice a second.
            Err(error) if !failing => {
                failing = true;
                tracing::warn!(error = &error as &(dyn std::error::Error + 'static), "the rules cannot be read");
            }
            Err(_) => {}
        }
    }
}

/// Begins to tell a watcher.
pub(crate) fn watch(ctx: &Context, book: &Arc<Rulebook>) -> Feed {
    let (to, feed) = mpsc::channel(WAITING);
    ctx.spawn(tell(ctx.clone(), book.clone(), to));
    ReceiverStream::new(feed)
}

async fn tell(ctx: Context, book: Arc<Rulebook>, to: mpsc::Sender<Result<PolicyUpdate, Status>>) {
    let mut epochs = book.epochs();
    let mut told = None;
    loop {
        epochs.mark_unchanged();
        for update in news(&book, told).await {
            told = Some(update.epoch);
            if to.send(Ok(update)).await.is_err() {
                return;
            }
        }
        let Some(epoch) = told else { return };
        tokio::select! {
            changed = epochs.changed() => if changed.is_err() { return },
            () = to.closed() => return,
            // Only as long as the database answers: a watcher that hears nothing knows that what it has may be old.
            () = ctx.sleep(HEARTBEAT) => if book.is_current() {
                let beat = PolicyUpdate { epoch, ..PolicyUpdate::default() };
                if to.send(Ok(beat)).await.is_err() { return }
            },
        }
    }
}

/// The changes since, or everything for whoever knows nothing or too little.
async fn news(book: &Rulebook, told: Option<u64>) -> Vec<PolicyUpdate> {
    let state = book.read().await;
    told.and_then(|epoch| state.changes_after(epoch))
        .unwrap_or_else(|| vec![state.policy.snapshot()])
}
