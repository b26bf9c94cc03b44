//! Wakes nodes by Redis pub/sub: for nodes whose state database has no NOTIFY, or that want it off the database.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use fred::clients::{Client, SubscriberClient};
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use tokio::sync::broadcast::error::RecvError;

use crate::infra::redis::{RedisError, builder};
use crate::ports::signals::{Board, SignalWaker};

/// How long announcing may take: who is not told asks soon anyway.
const ANNOUNCE: Duration = Duration::from_millis(100);

/// Tells and listens over Redis. Both connections come back by themselves.
#[derive(Debug)]
pub struct RedisWaker {
    client: Client,
    subscriber: SubscriberClient,
    channel: String,
}

impl RedisWaker {
    /// Begins to connect; a server that is away is tried again for ever. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the URL is none of Redis.
    pub fn start(url: &str, prefix: &str) -> Result<Self, RedisError> {
        let builder = builder(url, ANNOUNCE)?;
        let client = builder.build().map_err(RedisError::new)?;
        let subscriber = builder.build_subscriber_client().map_err(RedisError::new)?;
        drop(client.connect());
        drop(subscriber.connect());
        drop(subscriber.manage_subscriptions());
        Ok(Self {
            client,
            subscriber,
            channel: format!("{prefix}:signals"),
        })
    }
}

impl SignalWaker for RedisWaker {
    fn announce<'a>(&'a self, name: &'a str, epoch: u64) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            if self.client.is_connected() {
                let told: Result<i64, _> = self.client.publish(self.channel.as_str(), format!("{epoch} {name}")).await;
                if let Err(error) = told {
                    tracing::debug!(error = %error, "a signal could not be announced over redis");
                }
            }
        })
    }

    fn listen<'a>(&'a self, board: &'a Board) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let mut messages = self.subscriber.message_rx();
            // Kept by the client and sent again after each reconnect.
            while self.subscriber.subscribe(self.channel.as_str()).await.is_err() {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            loop {
                match messages.recv().await {
                    Ok(message) => {
                        let text = message.value.as_string().unwrap_or_default();
                        if let Some((epoch, name)) = text.split_once(' ')
                            && let Ok(epoch) = epoch.parse()
                        {
                            board.learn(name, epoch);
                        }
                    }
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        })
    }
}

impl Drop for RedisWaker {
    fn drop(&mut self) {
        // Ends the tasks of both; nothing is left to be sent.
        let (client, subscriber) = (self.client.clone(), self.subscriber.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                let _ = client.quit().await;
                let _ = subscriber.quit().await;
            });
        }
    }
}

#[cfg(all(test, feature = "servers"))]
mod servers {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use std::sync::Arc;

    use super::*;
    use crate::infra::database::SqliteState;
    use crate::infra::servers::redis;
    use crate::infra::signals::StoredSignals;
    use crate::ports::signals::{Signals, contract};

    #[tokio::test]
    async fn redis_wakes_nodes_that_share_an_sqlite_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let (prefix, mut nodes) = (redis::fresh_prefix(), Vec::new());
        for _ in 0..2 {
            let state = Arc::new(SqliteState::open(&file).await.unwrap());
            let waker = RedisWaker::start(&redis::shared(), &prefix).unwrap();
            nodes.push(StoredSignals::start(state, vec![Arc::new(waker)]));
        }
        contract::check(&nodes[0], &nodes[1]).await;
        let mut fastest = Duration::MAX;
        for _ in 0..10 {
            let mut watch = nodes[1].watch(&["queue.blog"]);
            let epoch = nodes[0].bump("queue.blog").await.unwrap();
            let began = std::time::Instant::now();
            while watch.epoch("queue.blog") < epoch {
                watch.changed().await;
            }
            fastest = fastest.min(began.elapsed());
        }
        assert!(fastest < Duration::from_millis(100), "{fastest:?}");
    }
}
