//! Watches the plugins folder and applies what changed, once it has settled.

use std::path::Path;
use std::time::Duration;

use notify::{RecursiveMode, Watcher};
use tokio::sync::mpsc;

use super::{Scope, Supervisor};

/// So long nothing may change before the folder is looked at: a copy under way is not a library yet.
const SETTLED: Duration = Duration::from_millis(150);

impl Supervisor {
    /// Watches until the supervisor is dropped.
    ///
    /// # Errors
    /// When the system cannot watch the folder.
    pub fn watch(&self, folder: &Path) -> Result<(), notify::Error> {
        let (seen, mut changes) = mpsc::channel(1);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let relevant = event.is_ok_and(|event| !event.kind.is_access());
            if relevant {
                // One pending change is as good as many.
                let _ = seen.try_send(());
            }
        })?;
        watcher.watch(folder, RecursiveMode::NonRecursive)?;
        let supervisor = std::sync::Arc::downgrade(&self.0);
        self.0.shared.runtime.spawn(async move {
            let _watcher = watcher;
            while changes.recv().await.is_some() {
                while tokio::time::timeout(SETTLED, changes.recv())
                    .await
                    .is_ok_and(|change| change.is_some())
                {}
                let Some(inner) = supervisor.upgrade() else { return };
                if let Err(error) = Self(inner).apply(Scope::all()).await {
                    tracing::error!(error = %error, "the plugins folder changed and could not be applied");
                }
            }
        });
        Ok(())
    }
}
