//! Keeping one watch open.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch::Receiver;
use tonic::{Status, Streaming};

use super::{MeshClient, PAUSES, SILENCE, Surroundings};
use crate::http::request_id::random_u64;
use crate::http::routes::Routes;
use crate::modules::endpoint::Endpoint;
use crate::security::freshness::{Freshness, Source};

/// One stream of a core module.
pub(super) trait Watch: Send + Sync + 'static {
    type Message: Send + 'static;
    const SOURCE: Source;
    /// `/package.Service/Method`.
    const PATH: &'static str;

    /// Opens the stream.
    fn open(&self, client: MeshClient) -> impl Future<Output = Result<Streaming<Self::Message>, Status>> + Send;

    /// Takes a message. A sentence when it cannot be used: the stream is opened again then.
    fn take(&self, message: Self::Message) -> Result<(), String>;
}

/// Why a stream was left.
enum Ended {
    /// Another build or instance serves it now: go there at once.
    Moved,
    /// It ended, failed, or said what cannot be used.
    Failed(String),
}

pub(super) async fn follow<W: Watch>(watch: W, freshness: Arc<Freshness>, around: Surroundings) {
    let mut changes = around.routes.changes();
    let mut pause = PAUSES.0;
    loop {
        changes.mark_unchanged();
        let Some(server) = server(&around.routes, W::PATH) else {
            freshness.runs(W::SOURCE, false);
            if changes.changed().await.is_err() {
                return;
            }
            continue;
        };
        freshness.runs(W::SOURCE, true);
        let client = MeshClient::new(around.channels.clone(), W::SOURCE.module());
        let mut heard = false;
        let ended = tokio::select! {
            why = listen(&watch, client, &freshness, &mut heard) => Ended::Failed(why),
            () = moved(&around.routes, W::PATH, &server, changes.clone()) => Ended::Moved,
        };
        match ended {
            Ended::Moved => pause = PAUSES.0,
            Ended::Failed(why) => {
                if heard {
                    pause = PAUSES.0;
                }
                tracing::debug!(source = W::SOURCE.name(), why, "a watch of a core module ended and is opened again");
                let jitter = Duration::from_millis(random_u64() % 50);
                tokio::select! {
                    () = tokio::time::sleep(pause + jitter) => pause = (pause * 2).min(PAUSES.1),
                    _ = changes.changed() => {}
                }
            }
        }
    }
}

/// Takes what comes until the stream ends; says why it did.
async fn listen<W: Watch>(watch: &W, client: MeshClient, freshness: &Freshness, heard: &mut bool) -> String {
    let mut stream = match tokio::time::timeout(SILENCE, watch.open(client)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(status)) => return format!("{}: {}", status.code(), status.message()),
        Err(_) => return "the module does not answer".to_owned(),
    };
    loop {
        match tokio::time::timeout(SILENCE, stream.message()).await {
            Ok(Ok(Some(message))) => {
                if let Err(why) = watch.take(message) {
                    tracing::warn!(source = W::SOURCE.name(), why, "what a core module said cannot be used");
                    return why;
                }
                *heard = true;
                freshness.heard(W::SOURCE);
            }
            Ok(Ok(None)) => return "the stream ended".to_owned(),
            Ok(Err(status)) => return format!("{}: {}", status.code(), status.message()),
            Err(_) => return "the stream is silent".to_owned(),
        }
    }
}

/// Ready when something else serves the method, or nothing.
async fn moved(routes: &Routes, path: &str, was: &Arc<dyn Endpoint>, mut changes: Receiver<u64>) {
    loop {
        if changes.changed().await.is_err() {
            return std::future::pending().await;
        }
        if !server(routes, path).is_some_and(|now| Arc::ptr_eq(&now, was)) {
            return;
        }
    }
}

fn server(routes: &Routes, path: &str) -> Option<Arc<dyn Endpoint>> {
    routes.load().grpc(path).map(|entry| Arc::clone(&entry.endpoint))
}
