//! Signals in memory: for tests, and for a host that is the only node.

use super::{Board, SignalFuture, Signals, Watch};

/// Forgets everything with the process. Hosts that share one are nodes of one installation.
#[derive(Debug, Default)]
pub struct MemorySignals {
    board: Board,
    /// Held while an epoch is raised, so that none is given twice.
    raising: std::sync::Mutex<()>,
}

impl MemorySignals {
    /// No epoch was ever raised.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn raise(&self, name: &str) -> u64 {
        let _raising = self.raising.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let epoch = self.board.known(name) + 1;
        self.board.learn(name, epoch);
        epoch
    }
}

impl Signals for MemorySignals {
    fn bump<'a>(&'a self, name: &'a str) -> SignalFuture<'a, u64> {
        Box::pin(async move { Ok(self.raise(name)) })
    }

    fn nudge(&self, name: &str) {
        self.raise(name);
    }

    fn epoch<'a>(&'a self, name: &'a str) -> SignalFuture<'a, u64> {
        Box::pin(async move { Ok(self.board.known(name)) })
    }

    fn watch(&self, names: &[&str]) -> Watch {
        self.board.watch(names)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::contract;
    use super::*;

    #[tokio::test]
    async fn memory_keeps_the_contract() {
        let signals = Arc::new(MemorySignals::new());
        contract::check(&*signals, &*signals).await;
    }
}
