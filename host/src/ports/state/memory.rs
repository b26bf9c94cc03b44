//! The state in memory: for tests, and for hosts that keep nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{NodeBeat, NodeReport, StateFuture, StateStore};
use crate::domain::status::Desired;

/// Forgets everything with the process.
#[derive(Debug, Default)]
pub struct MemoryState(Mutex<Kept>);

#[derive(Debug, Default)]
struct Kept {
    desired: BTreeMap<String, Desired>,
    /// By module, then node.
    reports: BTreeMap<(String, String), NodeReport>,
    nodes: BTreeMap<String, NodeBeat>,
}

impl MemoryState {
    /// Nothing known yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryState {
    fn desired<'a>(&'a self, module: &'a str) -> StateFuture<'a, Desired> {
        Box::pin(async move { Ok(self.kept().desired.get(module).cloned().unwrap_or_default()) })
    }

    fn all_desired(&self) -> StateFuture<'_, BTreeMap<String, Desired>> {
        Box::pin(async move { Ok(self.kept().desired.clone()) })
    }

    fn set_desired<'a>(&'a self, module: &'a str, desired: &'a Desired) -> StateFuture<'a, ()> {
        Box::pin(async move {
            self.kept().desired.insert(module.to_owned(), desired.clone());
            Ok(())
        })
    }

    fn report<'a>(&'a self, report: &'a NodeReport) -> StateFuture<'a, ()> {
        Box::pin(async move {
            self.kept()
                .reports
                .insert((report.module.clone(), report.node.clone()), report.clone());
            Ok(())
        })
    }

    fn forget_reports<'a>(&'a self, node: &'a str) -> StateFuture<'a, ()> {
        Box::pin(async move {
            self.kept().reports.retain(|(_, of), _| of != node);
            Ok(())
        })
    }

    fn reports(&self) -> StateFuture<'_, Vec<NodeReport>> {
        Box::pin(async move { Ok(self.kept().reports.values().cloned().collect()) })
    }

    fn beat<'a>(&'a self, beat: &'a NodeBeat) -> StateFuture<'a, ()> {
        Box::pin(async move {
            self.kept().nodes.insert(beat.node.clone(), beat.clone());
            Ok(())
        })
    }

    fn nodes(&self) -> StateFuture<'_, Vec<NodeBeat>> {
        Box::pin(async move { Ok(self.kept().nodes.values().cloned().collect()) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        contract::check(&MemoryState::new()).await;
    }
}
