//! Views of posts: noted in memory by the request, written in batches by a task.
//!
//! A view must reach whoever counts it, and must cost a reader nothing. So the request only puts it into a queue; a task takes what
//! has gathered and publishes all of it in one transaction. A crash loses what was not written yet, at most `views.flush_ms` of it.

use std::time::Duration;

use sea_orm::TransactionTrait;
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, Notify, mpsc};
use wharf_sdk::services::database::Db;
use wharf_sdk::services::events::Events;
use wharf_sdk::services::metrics::Counter;
use wharf_sdk::services::secrets::Secret;
use wharf_sdk::{Context, Principal, Tenant, tracing};

use crate::clock;
use crate::config;
use crate::error::Result;
use crate::events::PostViewed;

/// Most views of one transaction: it holds the one writer of SQLite for some milliseconds.
const BATCH: usize = 200;
/// Bytes of a hash that tell visitors apart.
const LENGTH: usize = 8;

/// One view that waits to be written.
#[derive(Clone, Debug)]
struct View {
    tenant: Tenant,
    event: PostViewed,
}

/// Notes views and writes them.
#[derive(Debug)]
pub(crate) struct Views {
    noted: mpsc::Sender<View>,
    /// Whoever writes holds it from taking views to having written them, so that whoever comes next knows that they are.
    waiting: Mutex<mpsc::Receiver<View>>,
    woken: Notify,
    every: Duration,
    is_on: bool,
    salt: Secret,
    events: Events,
    db: Db,
    dropped: Counter,
}

impl Views {
    pub(crate) async fn new(ctx: &Context, config: &config::Views) -> Result<Self> {
        let (noted, waiting) = mpsc::channel(usize::try_from(config.waiting).unwrap_or(BATCH));
        Ok(Self {
            noted,
            waiting: Mutex::new(waiting),
            woken: Notify::new(),
            every: Duration::from_millis(u64::from(config.flush_ms)),
            is_on: config.enabled,
            salt: ctx.secrets()?.get("module-key").await?,
            events: ctx.events()?,
            db: ctx.db()?,
            dropped: ctx
                .metrics()?
                .counter("blog_views_dropped_total", "Views that found the queue full", &[])?,
        })
    }

    /// Notes one. Never waits; with a full queue it is dropped and counted.
    pub(crate) fn note(&self, tenant: &Tenant, post: &str, slug: &str, visitor: &str) {
        if !self.is_on {
            return;
        }
        let view = View {
            tenant: tenant.clone(),
            event: PostViewed {
                post: post.to_owned(),
                slug: slug.to_owned(),
                visitor: visitor.to_owned(),
                at: clock::text(clock::now()),
            },
        };
        match self.noted.try_send(view) {
            Ok(()) => self.woken.notify_one(),
            Err(_) => self.dropped.increment(),
        }
    }

    /// What tells visitors of one day apart: a hash with a secret of this installation and the day in it, so that nobody can find
    /// out who it was, nor follow them from one day to the next.
    pub(crate) fn visitor(&self, tenant: &Tenant, who: Option<&Principal>, address: &str, agent: &str) -> String {
        let day = clock::now().div_euclid(86_400_000);
        let mut hash = Sha256::new()
            .chain_update(self.salt.reveal())
            .chain_update(day.to_le_bytes())
            .chain_update(tenant.as_str());
        hash = match who {
            Some(who) => hash.chain_update([1]).chain_update(who.subject()),
            None => hash.chain_update([2]).chain_update(address).chain_update([0]).chain_update(agent),
        };
        hash.finalize().iter().take(LENGTH).map(|byte| format!("{byte:02x}")).collect()
    }

    /// Writes views as they come, until the instance ends: the first one waits for those that come with it.
    pub(crate) async fn keep_writing(&self, ctx: &Context) {
        loop {
            self.woken.notified().await;
            ctx.sleep(self.every).await;
            self.write().await;
        }
    }

    /// Writes all that wait.
    pub(crate) async fn write(&self) {
        let mut waiting = self.waiting.lock().await;
        loop {
            let mut batch = Vec::with_capacity(BATCH);
            while batch.len() < BATCH
                && let Ok(view) = waiting.try_recv()
            {
                batch.push(view);
            }
            if batch.is_empty() {
                return;
            }
            if let Err(error) = self.publish(&batch).await {
                tracing::warn!(%error, views = batch.len(), "views could not be written and are lost");
                batch.iter().for_each(|_| self.dropped.increment());
            }
        }
    }

    async fn publish(&self, batch: &[View]) -> Result<()> {
        let tx = self.db.begin().await?;
        for view in batch {
            view.tenant.events(&self.events).publish(&tx, &view.event).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
