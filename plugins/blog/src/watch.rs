//! Watching posts: every change reaches every watcher, on whatever node it was made.
//!
//! Writers note each change in the table `change`, in their transaction. One task a node reads what is new, as long as somebody
//! watches: at once when the change was made on this node, else within half a second.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tokio::sync::{Notify, broadcast, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use wharf_proto::blog::v1 as pb;
use wharf_sdk::services::database::Db;
use wharf_sdk::{Context, Tenant, tracing};

use crate::clock;
use crate::error::Result;
use crate::grpc;
use crate::tables::change;

/// How often changes of other nodes are looked for.
const LOOK: Duration = Duration::from_millis(500);
/// Rows this old are read again, in case one of them was committed after a younger one.
const OVERLAP_MS: i64 = 10_000;
/// Changes that wait for a slow watcher; one that is further behind is told to begin anew.
const WAITING: usize = 256;

/// What one watcher hears.
pub(crate) type Feed = ReceiverStream<Result<pb::PostChange, Status>>;

/// Those who watch on this node.
#[derive(Clone, Debug)]
pub(crate) struct Watchers {
    news: broadcast::Sender<Arc<change::Model>>,
    woken: Arc<Notify>,
    watching: Arc<AtomicUsize>,
}

/// One who watches, until it is dropped.
struct Watching(Arc<AtomicUsize>);

impl Watchers {
    pub(crate) fn new() -> Self {
        Self {
            news: broadcast::channel(WAITING).0,
            woken: Arc::default(),
            watching: Arc::default(),
        }
    }

    /// Something was changed on this node.
    pub(crate) fn look(&self) {
        self.woken.notify_one();
    }

    /// Begins to tell somebody what happens to posts of a tenant from now on.
    pub(crate) fn watch(&self, ctx: &Context, tenant: Tenant) -> Feed {
        let (to, feed) = mpsc::channel(16);
        let mut news = self.news.subscribe();
        self.watching.fetch_add(1, Ordering::Relaxed);
        let watching = Watching(self.watching.clone());
        let since = clock::now();
        ctx.spawn(async move {
            let _watching = watching;
            loop {
                let message = tokio::select! {
                    next = news.recv() => match next {
                        Ok(change) if change.tenant == tenant.as_str() && change.at >= since => Ok(grpc::change(&change)),
                        Ok(_) => continue,
                        Err(broadcast::error::RecvError::Closed) => return,
                        Err(broadcast::error::RecvError::Lagged(missed)) => Err(Status::data_loss(format!(
                            "this watcher is {missed} changes behind: list the posts and watch again"
                        ))),
                    },
                    () = to.closed() => return,
                };
                let is_end = message.is_err();
                if to.send(message).await.is_err() || is_end {
                    return;
                }
            }
        });
        ReceiverStream::new(feed)
    }

    /// Reads what is new until the instance ends.
    pub(crate) async fn follow(&self, ctx: &Context, db: &Db) {
        // What was told already, by id, and when everything was last read.
        let mut told: BTreeMap<String, i64> = BTreeMap::new();
        let mut read = clock::now();
        loop {
            tokio::select! {
                () = ctx.sleep(LOOK) => {}
                () = self.woken.notified() => {}
            }
            let now = clock::now();
            if self.watching.load(Ordering::Relaxed) == 0 {
                told.clear();
                read = now;
                continue;
            }
            match new_changes(db, read - OVERLAP_MS, &told).await {
                Ok(changes) => {
                    for change in changes {
                        told.insert(change.id.clone(), change.at);
                        // Nobody may be listening any more, which is no error.
                        let _ = self.news.send(Arc::new(change));
                    }
                    told.retain(|_, at| *at >= now - 2 * OVERLAP_MS);
                    read = now;
                }
                Err(error) => tracing::warn!(%error, "changes of posts cannot be read; trying again"),
            }
        }
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn new_changes(db: &Db, from: i64, told: &BTreeMap<String, i64>) -> Result<Vec<change::Model>> {
    let mut changes = change::Entity::find()
        .filter(change::Column::At.gte(from))
        .order_by_asc(change::Column::At)
        .order_by_asc(change::Column::Id)
        .all(db)
        .await?;
    changes.retain(|change| !told.contains_key(&change.id));
    Ok(changes)
}
