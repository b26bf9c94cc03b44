//! gRPC health v1, answered from the route table of the moment.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use futures_util::stream;
use tokio::sync::watch;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health as HealthV1;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::http::routes::Routes;

/// What the host knows about health besides which gRPC services are routed. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<Word>>);

/// The last word on health.
#[derive(Clone, Debug, Default)]
struct Word {
    ready: bool,
    closed: bool,
    ailing: BTreeSet<String>,
}

/// The gRPC service `grpc.health.v1.Health`.
pub(super) struct HealthService {
    pub(super) routes: Arc<Routes>,
    pub(super) health: Health,
}

impl Health {
    /// Not ready yet; every module that has routes is taken to be well.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(watch::Sender::new(Word::default())))
    }

    /// Whether the host takes requests: the status of the overall gRPC service `""`.
    pub fn set_ready(&self, ready: bool) {
        self.0.send_if_modified(|word| std::mem::replace(&mut word.ready, ready) != ready);
    }

    /// What a module says of its own health: the status of each of its gRPC services.
    pub fn set_module(&self, id: &str, serving: bool) {
        self.0.send_if_modified(|word| {
            if serving {
                word.ailing.remove(id)
            } else {
                word.ailing.insert(id.to_owned())
            }
        });
    }

    /// Tells every watcher that nothing is served any more and ends its stream, so that a shutdown need not wait.
    pub fn close(&self) {
        self.0.send_modify(|word| {
            word.ready = false;
            word.closed = true;
        });
    }
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl HealthService {
    /// The status of a gRPC service; `None` when no module serves it.
    fn status(&self, service: &str) -> Option<ServingStatus> {
        let word = self.health.0.borrow();
        let serving = match service {
            "" => word.ready,
            name if super::surfaces::OWN_SERVICES.contains(&name) => !word.closed,
            name => {
                let table = self.routes.load();
                let found = table.service(name)?;
                !word.closed && !word.ailing.contains(&*found.module)
            }
        };
        Some(if serving {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        })
    }
}

/// One client that watches one gRPC service.
struct Watcher {
    service: HealthService,
    name: String,
    table: watch::Receiver<u64>,
    word: watch::Receiver<Word>,
    told: Option<ServingStatus>,
}

impl Watcher {
    /// The next status that differs from the last one told; `None` at the end.
    async fn next(mut self) -> Option<(Result<HealthCheckResponse, Status>, Self)> {
        loop {
            // Marked before looking, so that a change after the look is not lost.
            self.table.mark_unchanged();
            let closed = self.word.borrow_and_update().closed;
            let status = self.service.status(&self.name).unwrap_or(ServingStatus::ServiceUnknown);
            if self.told != Some(status) {
                self.told = Some(status);
                return Some((Ok(answer(status)), self));
            }
            if closed {
                return None;
            }
            let changed = tokio::select! {
                changed = self.table.changed() => changed,
                changed = self.word.changed() => changed,
            };
            changed.ok()?;
        }
    }
}

#[tonic::async_trait]
impl HealthV1 for HealthService {
    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        match self.status(&request.get_ref().service) {
            Some(status) => Ok(Response::new(answer(status))),
            None => Err(Status::not_found("no module serves this gRPC service")),
        }
    }

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let watcher = Watcher {
            service: Self {
                routes: Arc::clone(&self.routes),
                health: self.health.clone(),
            },
            name: request.into_inner().service,
            table: self.routes.changes(),
            word: self.health.0.subscribe(),
            told: None,
        };
        Ok(Response::new(Box::pin(stream::unfold(watcher, Watcher::next))))
    }
}

fn answer(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
