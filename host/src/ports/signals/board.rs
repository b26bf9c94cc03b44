//! What one node knows of the epochs, and who waits for them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use tokio::sync::watch;

/// The epochs one node knows of. Clones are the same board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<HashMap<String, watch::Sender<Known>>>>);

/// What is known of one name. `nudges` counts signals whose epoch is not known yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Known {
    epoch: u64,
    nudges: u64,
}

/// Waits for changes of some names. A change that comes between two calls of [`Watch::changed`] is not lost.
#[derive(Debug)]
#[must_use = "a watch does nothing unless asked"]
pub struct Watch {
    names: Vec<(String, watch::Receiver<Known>)>,
}

impl Board {
    /// Takes note of an epoch. One that is lower than what is known is old news.
    pub fn learn(&self, name: &str, epoch: u64) {
        let board = self.lock();
        let Some(sender) = board.get(name) else {
            drop(board);
            self.sender(name).send_if_modified(|known| raise(known, epoch));
            return;
        };
        sender.send_if_modified(|known| raise(known, epoch));
    }

    /// Wakes the watchers of this node for a change whose epoch comes later.
    pub fn nudge(&self, name: &str) {
        self.sender(name).send_modify(|known| known.nudges = known.nudges.wrapping_add(1));
    }

    /// The highest epoch this node has heard of.
    #[must_use]
    pub fn known(&self, name: &str) -> u64 {
        self.lock().get(name).map_or(0, |sender| sender.borrow().epoch)
    }

    /// Watches names from now on.
    pub fn watch(&self, names: &[&str]) -> Watch {
        Watch {
            names: names
                .iter()
                .map(|name| ((*name).to_owned(), self.sender(name).subscribe()))
                .collect(),
        }
    }

    fn sender(&self, name: &str) -> watch::Sender<Known> {
        self.lock()
            .entry(name.to_owned())
            .or_insert_with(|| watch::channel(Known::default()).0)
            .clone()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<Known>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watch {
    /// The names that changed since the last call; waits until one does. May be dropped at any time without losing a change.
    /// Waits for ever when it watches nothing, or when nobody can signal any more.
    pub async fn changed(&mut self) -> Vec<String> {
        loop {
            let changed = self.take_changed();
            if !changed.is_empty() {
                return changed;
            }
            self.wait().await;
        }
    }

    /// The names that changed since the last call; none when none did.
    pub fn take_changed(&mut self) -> Vec<String> {
        let mut changed = Vec::new();
        for (name, receiver) in &mut self.names {
            if receiver.has_changed().unwrap_or(false) {
                receiver.mark_unchanged();
                changed.push(name.clone());
            }
        }
        changed
    }

    /// The highest epoch this node has heard of; 0 for a name that is not watched here.
    #[must_use]
    pub fn epoch(&self, name: &str) -> u64 {
        self.names
            .iter()
            .find(|(known, _)| known == name)
            .map_or(0, |(_, receiver)| receiver.borrow().epoch)
    }

    /// Ready when any has changed. The change is put back, for whoever asks next.
    async fn wait(&mut self) {
        let mut waits: Vec<_> = self
            .names
            .iter_mut()
            .map(|(_, receiver)| {
                Box::pin(async move {
                    match receiver.changed().await {
                        Ok(()) => receiver.mark_changed(),
                        Err(_) => std::future::pending().await,
                    }
                })
            })
            .collect();
        std::future::poll_fn(|cx| {
            let any = waits.iter_mut().any(|wait| wait.as_mut().poll(cx).is_ready());
            if any { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

fn raise(known: &mut Known, epoch: u64) -> bool {
    let is_news = epoch > known.epoch;
    if is_news {
        known.epoch = epoch;
    }
    is_news
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_change_before_the_wait_is_not_lost_and_comes_once() {
        let board = Board::default();
        let mut watch = board.watch(&["a", "b"]);
        board.learn("a", 3);
        board.learn("a", 4);
        board.nudge("c");
        assert_eq!(watch.changed().await, ["a"]);
        assert!(watch.take_changed().is_empty());
        board.learn("a", 2);
        assert!(watch.take_changed().is_empty(), "an older epoch is no news");
        board.nudge("b");
        assert_eq!(watch.changed().await, ["b"]);
        assert_eq!((watch.epoch("a"), board.known("a"), watch.epoch("c")), (4, 4, 0));
    }

    #[tokio::test]
    async fn whoever_waits_is_woken_and_a_dropped_wait_loses_nothing() {
        let board = Board::default();
        let mut watch = board.watch(&["a", "b"]);
        tokio::select! {
            biased;
            changed = watch.changed() => assert!(changed.is_empty(), "nothing changed"),
            () = std::future::ready(()) => {}
        }
        let waiting = tokio::spawn(async move { watch.changed().await });
        tokio::task::yield_now().await;
        board.nudge("b");
        assert_eq!(waiting.await.ok(), Some(vec!["b".to_owned()]));
    }
}
