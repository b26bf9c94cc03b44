//! Follows what operators decided on other nodes.

use std::error::Error;
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::{Inner, Scope, Supervisor};
use crate::domain::status::Desired;
use crate::modules::control::ControlError;
use crate::ports::signals::{MODULES_DESIRED, Watch};

/// How long after a failure it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

impl Supervisor {
    /// Tells the other nodes that a decision was recorded. One that cannot be told learns of it at its next rescan.
    pub(super) async fn tell_nodes(&self) {
        if let Err(error) = self.0.shared.backends.signals.bump(MODULES_DESIRED).await {
            tracing::warn!(
                error = &error as &(dyn Error + 'static),
                "other nodes could not be told of the decision; `wharf modules rescan` on each of them makes it known"
            );
        }
    }

    /// Begins to follow the decisions of other nodes, until this supervisor is gone.
    pub(super) fn follow_other_nodes(&self) {
        let watch = self.0.shared.backends.signals.watch(&[MODULES_DESIRED]);
        self.0.shared.runtime.spawn(follow(Arc::downgrade(&self.0), watch));
    }

    /// Does what was decided elsewhere for modules about which this node knows something else.
    async fn reconcile(&self) -> Result<(), ControlError> {
        let desired = self.desired().await?;
        let undecided = Desired::default();
        let known: Vec<(String, Desired)> = self.slots().values().map(|slot| (slot.id.clone(), slot.desired())).collect();
        let of = |id: &str| known.iter().find(|(slot, _)| slot == id).map(|(_, desired)| desired);
        let changed: Vec<String> = desired
            .iter()
            .filter(|(id, wanted)| of(id).unwrap_or(&undecided) != *wanted)
            .map(|(id, _)| id.clone())
            .collect();
        for id in changed {
            tracing::info!(module.id = id, "another node decided about the module");
            let wanted = desired.get(&id).unwrap_or(&undecided);
            let now = of(&id).unwrap_or(&undecided);
            if wanted.enabled == now.enabled {
                // A pin changes what may be loaded from now on, and nothing that runs.
                if let Some(slot) = self.slots().get(&id) {
                    slot.set_desired(wanted.clone());
                }
            } else {
                self.apply(Scope::one(&id, false)).await?;
            }
        }
        Ok(())
    }
}

async fn follow(supervisor: Weak<Inner>, mut watch: Watch) {
    loop {
        watch.changed().await;
        let mut failing = false;
        loop {
            let Some(inner) = supervisor.upgrade() else { return };
            match Supervisor(inner).reconcile().await {
                Ok(()) => break,
                // Once, not each second.
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(error = %error, hint = error.hint, "a decision of another node could not be followed; it is tried again each second");
                }
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
    }
}
