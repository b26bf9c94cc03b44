//! The rules as this node knows them, and how they are changed.

use std::collections::VecDeque;
use std::sync::Mutex as Plain;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, Notify, RwLock, RwLockReadGuard, watch};
use wharf_proto::authz::v1::PolicyUpdate;
use wharf_sdk::Context;
use wharf_sdk::services::database::Tx;

use crate::error::{Error, Result};
use crate::line::Change;
use crate::model::Model;
use crate::policy::Policy;
use crate::store::{KEPT, Store};

/// After this long without a look at the database the rules may be old.
pub(crate) const OLD: Duration = Duration::from_secs(10);

/// The rules as this node knows them.
pub(crate) struct Rulebook {
    pub(crate) store: Store,
    state: RwLock<State>,
    /// One looks at the database at a time.
    looking: Mutex<()>,
    /// The epoch in memory.
    epoch: watch::Sender<u64>,
    looked: Plain<Instant>,
    pub(crate) woken: Notify,
}

/// What became of a change.
pub(crate) enum Begun {
    /// It is in this transaction.
    Written {
        /// To be committed.
        tx: Tx,
        /// In which it holds.
        epoch: u64,
        /// What it is.
        change: Change,
    },
    /// There is nothing to change in this epoch.
    Nothing(u64),
    /// Somebody else was faster.
    Overtaken,
}

/// What is in memory.
#[derive(Default)]
pub(crate) struct State {
    pub(crate) policy: Policy,
    pub(crate) model: Option<Model>,
    /// The last changes, oldest first, each with the epoch it led to.
    changes: VecDeque<PolicyUpdate>,
}

impl Rulebook {
    pub(crate) fn new(ctx: &Context) -> Result<Self> {
        Ok(Self {
            store: Store::new(ctx.db()?),
            state: RwLock::default(),
            looking: Mutex::default(),
            epoch: watch::Sender::new(0),
            looked: Plain::new(Instant::now()),
            woken: Notify::new(),
        })
    }

    /// What is in memory.
    pub(crate) async fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().await
    }

    /// Changes of the epoch.
    pub(crate) fn epochs(&self) -> watch::Receiver<u64> {
        self.epoch.subscribe()
    }

    /// Whether the database was looked at lately.
    pub(crate) fn is_current(&self) -> bool {
        self.looked.lock().is_ok_and(|looked| looked.elapsed() < OLD)
    }

    /// Brings what is in memory up to the database: by the changes that are kept, or all of it.
    pub(crate) async fn sync(&self) -> Result<()> {
        let _one = self.looking.lock().await;
        let epoch = self.store.epoch().await?;
        if epoch != self.read().await.policy.epoch {
            self.catch_up().await?;
        }
        if let Ok(mut looked) = self.looked.lock() {
            *looked = Instant::now();
        }
        Ok(())
    }

    async fn catch_up(&self) -> Result<()> {
        let known = self.read().await.policy.epoch;
        let changes = self.store.changes_after(known).await?;
        let follow = (known + 1..).zip(&changes).all(|(expected, (epoch, _))| *epoch == expected);
        if known == 0 || changes.is_empty() || !follow {
            let fresh = self.load().await?;
            let epoch = fresh.policy.epoch;
            *self.state.write().await = fresh;
            self.epoch.send_replace(epoch);
            return Ok(());
        }
        for (epoch, change) in changes {
            let mut state = self.state.write().await;
            state.follow(epoch, &change).await?;
            self.epoch.send_replace(epoch);
        }
        Ok(())
    }

    /// Everything, of one epoch.
    async fn load(&self) -> Result<State> {
        loop {
            let epoch = self.store.epoch().await?;
            let model = Model::load(&self.store).await?;
            let roles = self.store.roles().await?;
            if self.store.epoch().await? != epoch {
                continue;
            }
            let policy = Policy {
                epoch,
                rules: model.rules().collect(),
                bindings: model.bindings().collect(),
                roles: roles.into_iter().map(|role| (role.name.clone(), role)).collect(),
            };
            return Ok(State {
                policy,
                model: Some(model),
                changes: VecDeque::new(),
            });
        }
    }

    /// Begins a change of the rules: `plan` says how, from what they are at this moment. The transaction is open, and to be
    /// committed.
    pub(crate) async fn begin(&self, plan: impl Fn(&State) -> Result<Change> + Send + Sync) -> Result<Begun> {
        self.sync().await?;
        let (change, expected) = {
            let state = self.read().await;
            (plan(&state)?, state.policy.epoch)
        };
        if change.is_empty() {
            return Ok(Begun::Nothing(expected));
        }
        let tx = self.store.begin().await?;
        match self.store.write(&tx, Some(expected), &change).await? {
            Some(epoch) => Ok(Begun::Written { tx, epoch, change }),
            None => {
                tx.rollback().await?;
                Ok(Begun::Overtaken)
            }
        }
    }
}

impl State {
    /// Casbin's form of the rules.
    pub(crate) fn model(&self) -> Result<&Model> {
        let missing = || Error::Conflict("the rules were not read yet, try again".to_owned());
        self.model.as_ref().ok_or_else(missing)
    }

    /// What changed after an epoch, one message for each; none when that is too long ago.
    pub(crate) fn changes_after(&self, epoch: u64) -> Option<Vec<PolicyUpdate>> {
        let missing = self.policy.epoch.checked_sub(epoch)?;
        let missing = usize::try_from(missing).ok()?;
        let skip = self.changes.len().checked_sub(missing)?;
        Some(self.changes.iter().skip(skip).cloned().collect())
    }

    async fn follow(&mut self, epoch: u64, change: &Change) -> Result<()> {
        if let Some(model) = &mut self.model {
            model.follow(change).await?;
        }
        self.policy.follow(epoch, change);
        self.changes.push_back(change.to_update(epoch));
        if self.changes.len() as u64 > KEPT as u64 {
            self.changes.pop_front();
        }
        Ok(())
    }
}

impl std::fmt::Debug for Rulebook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rulebook")
            .field("epoch", &*self.epoch.borrow())
            .finish_non_exhaustive()
    }
}
