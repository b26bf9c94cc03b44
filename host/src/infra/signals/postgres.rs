//! Wakes nodes by NOTIFY. Raising an epoch notifies in the same statement, so there is nothing to announce here.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgListener;

use crate::infra::database::PostgresState;
use crate::ports::signals::{Board, SignalWaker};

/// As in the statement that raises an epoch.
const CHANNEL: &str = "wharf_signals";
/// How long after a lost connection it is tried again; polling goes on meanwhile.
const AGAIN: Duration = Duration::from_millis(500);

/// Listens for NOTIFY on a connection of its own.
#[derive(Debug)]
pub struct PostgresWaker(Arc<PostgresState>);

impl PostgresWaker {
    /// For signals that are kept in this database.
    #[must_use]
    pub fn new(state: Arc<PostgresState>) -> Self {
        Self(state)
    }

    async fn hear(&self, board: &Board) -> Result<(), sqlx::Error> {
        let mut listener = PgListener::connect_with(self.0.pool()).await?;
        listener.listen(CHANNEL).await?;
        loop {
            // A lost connection is an error here and a new listener above; what was missed is found by asking.
            let Some(heard) = listener.try_recv().await? else { return Ok(()) };
            if let Some((epoch, name)) = heard.payload().split_once(' ')
                && let Ok(epoch) = epoch.parse()
            {
                board.learn(name, epoch);
            }
        }
    }
}

impl SignalWaker for PostgresWaker {
    fn announce<'a>(&'a self, _: &'a str, _: u64) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(std::future::ready(()))
    }

    fn listen<'a>(&'a self, board: &'a Board) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            loop {
                if let Err(error) = self.hear(board).await {
                    tracing::debug!(error = %error, "the listener for signals lost its connection");
                }
                tokio::time::sleep(AGAIN).await;
            }
        })
    }
}

#[cfg(all(test, feature = "servers"))]
mod servers {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::infra::servers::{fresh_database, postgres};
    use crate::infra::signals::StoredSignals;
    use crate::ports::signals::{Signals, contract};

    async fn node(url: &str) -> StoredSignals {
        let state = Arc::new(PostgresState::open_url(url).await.unwrap());
        StoredSignals::start(state.clone(), vec![Arc::new(PostgresWaker::new(state))])
    }

    #[tokio::test]
    async fn two_nodes_on_one_database_keep_the_contract() {
        let url = fresh_database("signals").await;
        let (one, two) = (node(&url).await, node(&url).await);
        contract::check(&one, &two).await;
    }

    #[tokio::test]
    async fn notify_is_faster_than_asking() {
        let url = fresh_database("notify").await;
        let (one, two) = (node(&url).await, node(&url).await);
        let mut fastest = Duration::MAX;
        for _ in 0..10 {
            let mut watch = two.watch(&["queue.blog"]);
            let epoch = one.bump("queue.blog").await.unwrap();
            let began = std::time::Instant::now();
            while watch.epoch("queue.blog") < epoch {
                watch.changed().await;
            }
            fastest = fastest.min(began.elapsed());
        }
        assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    }

    #[tokio::test]
    async fn signals_go_on_after_the_server_was_killed() {
        let mut server = postgres::Private::start().await;
        let (one, two) = (node(&server.url()).await, node(&server.url()).await);
        one.bump("a").await.unwrap();
        server.kill();
        assert!(one.bump("a").await.is_err());
        let mut watch = two.watch(&["a"]);
        one.nudge("a");
        server.restart().await;
        let told = async {
            while watch.epoch("a") < 2 {
                watch.changed().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), told).await.unwrap();
    }
}
