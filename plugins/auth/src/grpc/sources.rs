//! `Keys`, `Revocations` and `Tokens`: what hosts ask. Streams repeat themselves every ten seconds, so that silence means that
//! nobody is there.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status};
use wharf_proto::auth::v1::keys_server::Keys;
use wharf_proto::auth::v1::revocations_server::Revocations;
use wharf_proto::auth::v1::tokens_server::Tokens;
use wharf_proto::auth::v1::{
    CheckApiKeyRequest, CheckApiKeyResponse, KeySet, RevocationsUpdate, WatchKeysRequest, WatchRevocationsRequest,
};
use wharf_sdk::tonic;

use crate::Auth;
use crate::revocations::timestamp;

const HEARTBEAT: Duration = Duration::from_secs(10);
/// Messages that wait for a slow watcher.
const WAITING: usize = 8;

type Messages<T> = ReceiverStream<Result<T, Status>>;

#[tonic::async_trait]
impl Keys for Auth {
    type WatchStream = Messages<KeySet>;

    async fn watch(&self, _: Request<WatchKeysRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let (issuer, audience) = (self.inner.config.issuer(), self.inner.config.audience());
        let feed = self.inner.feed.watch_keys();
        Ok(self.stream(feed, move |keys| keys.key_set(issuer.clone(), audience.clone())))
    }
}

#[tonic::async_trait]
impl Revocations for Auth {
    type WatchStream = Messages<RevocationsUpdate>;

    async fn watch(&self, _: Request<WatchRevocationsRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let feed = self.inner.feed.watch_revoked();
        let mut told: Option<i64> = None;
        Ok(self.stream(feed, move |known| match told.replace(known.epoch) {
            None => known.snapshot(),
            Some(epoch) => known.since(epoch),
        }))
    }
}

#[tonic::async_trait]
impl Tokens for Auth {
    async fn check_api_key(&self, request: Request<CheckApiKeyRequest>) -> Result<Response<CheckApiKeyResponse>, Status> {
        let found = self.inner.check_api_key(&request.into_inner().key).await?;
        let (row, account) = found.ok_or_else(|| Status::not_found("there is no such API key"))?;
        Ok(Response::new(CheckApiKeyResponse {
            subject: format!("{}:{}", row.kind, row.account),
            tenant: row.tenant,
            name: account.name,
            scopes: serde_json::from_str(&row.scopes).map_err(crate::failure::Failure::internal)?,
            expires: row.expires_at.map(timestamp),
            id: row.id,
        }))
    }
}

impl Auth {
    /// What is known now, whatever it becomes, and the same again when nothing changes for a while. The task ends with the stream.
    fn stream<K, T>(
        &self,
        mut feed: watch::Receiver<std::sync::Arc<K>>,
        mut message: impl FnMut(&K) -> T + Send + 'static,
    ) -> Response<Messages<T>>
    where
        K: Send + Sync + 'static,
        T: Send + 'static,
    {
        let (sender, messages) = mpsc::channel(WAITING);
        self.inner.ctx.spawn(async move {
            loop {
                let known = feed.borrow_and_update().clone();
                let next = message(&known);
                if sender.send(Ok(next)).await.is_err() {
                    return;
                }
                tokio::select! {
                    changed = timeout(HEARTBEAT, feed.changed()) => if let Ok(Err(_)) = changed { return },
                    () = sender.closed() => return,
                }
            }
        });
        Response::new(ReceiverStream::new(messages))
    }
}
