//! What this node knows of keys and revocations, and how it learns: at once of its own changes, within 300 ms of those of others.

use std::sync::Arc;

use sea_orm::EntityTrait;
use tokio::sync::{Mutex, watch};

use crate::Inner;
use crate::failure::Failure;
use crate::keys::{KEYS, Keys};
use crate::revocations::{REVOCATIONS, Revocations};
use crate::tables::epoch;

/// What is known, and who wants to be told.
pub(crate) struct Feed {
    keys: watch::Sender<Arc<Keys>>,
    revoked: watch::Sender<Arc<Revocations>>,
    /// Looks come one after the other: an older one must not overwrite what a younger one found.
    looking: Mutex<()>,
}

impl Default for Feed {
    fn default() -> Self {
        Self {
            keys: watch::Sender::new(Arc::default()),
            revoked: watch::Sender::new(Arc::default()),
            looking: Mutex::new(()),
        }
    }
}

impl Feed {
    pub(crate) fn keys(&self) -> Arc<Keys> {
        self.keys.borrow().clone()
    }

    pub(crate) fn revoked(&self) -> Arc<Revocations> {
        self.revoked.borrow().clone()
    }

    pub(crate) fn watch_keys(&self) -> watch::Receiver<Arc<Keys>> {
        self.keys.subscribe()
    }

    pub(crate) fn watch_revoked(&self) -> watch::Receiver<Arc<Revocations>> {
        self.revoked.subscribe()
    }
}

impl Inner {
    /// Looks whether keys or revocations changed, and tells whoever watches.
    pub(crate) async fn look(&self) -> Result<(), Failure> {
        let _alone = self.feed.looking.lock().await;
        let epochs = epoch::Entity::find().all(&self.db).await?;
        let value = |name: &str| epochs.iter().find(|row| row.name == name).map_or(0, |row| row.value);
        let (keys, revocations) = (value(KEYS), value(REVOCATIONS));
        let known = u64::try_from(keys).unwrap_or_default();
        if known != self.feed.keys().epoch {
            let loaded = self.load_keys(known).await?;
            self.feed.keys.send_replace(Arc::new(loaded));
        }
        let before = self.feed.revoked();
        if revocations > before.epoch {
            let added = self.load_revocations(before.epoch).await?;
            // More may have come since the number was read.
            let epoch = added.last().map_or(revocations, |row| row.epoch.max(revocations));
            self.feed.revoked.send_replace(Arc::new(before.with(epoch, added)));
        }
        Ok(())
    }
}
