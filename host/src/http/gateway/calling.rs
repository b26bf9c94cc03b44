//! Handing a request to a module, and to its successor when the module is just being replaced.

use std::pin::Pin;
use std::sync::Arc;

use http::request::Parts;
use http::{Request, Response};

use super::clock::Clock;
use super::{Call, Gateway, Refusal, target};
use crate::domain::route::Lane;
use crate::http::body::Body;
use crate::http::problem::ErrorKind;
use crate::http::routes::{Entry, Found};
use crate::modules::endpoint::{CallInfo, Refused, RefusedBecause, Responding};

/// How often a request looks for the successor of a module that drains. A swap comes before the drain, so the
/// first look finds it; more are needed only when one swap follows another.
const LOOKS: usize = 8;

impl Gateway {
    pub(super) async fn call_module(&self, entry: Arc<Entry>, mut head: Parts, body: Body, call: Call) -> Result<Response<Body>, Refusal> {
        if entry.lane == Lane::Http {
            target::strip(&mut head, &entry.prefix).ok_or_else(bad_target)?;
        }
        let responding = self.enter(entry, Request::from_parts(head, body), &call.info).await?;
        self.wait(responding, &call.clock).await
    }

    /// Finds an instance that takes the request. The call has begun when this returns.
    pub(crate) async fn enter(&self, mut entry: Arc<Entry>, mut request: Request<Body>, info: &CallInfo) -> Result<Responding, Refusal> {
        for _ in 0..LOOKS {
            let Refused { request: back, because } = match entry.endpoint.call(entry.lane, request, info.clone()) {
                Ok(responding) => return Ok(responding),
                Err(refused) => *refused,
            };
            request = back;
            match because {
                RefusedBecause::Draining => {}
                RefusedBecause::Busy => return Err(refusal(ErrorKind::Busy, &entry, "has too many calls in flight")),
                RefusedBecause::Unavailable => return Err(refusal(ErrorKind::Unavailable, &entry, "is not running")),
            }
            tokio::task::yield_now().await;
            entry = self.successor(&entry, &mut request)?;
        }
        Err(refusal(ErrorKind::Draining, &entry, "is being replaced"))
    }

    /// Waits for the response to begin.
    pub(crate) async fn wait(&self, mut responding: Responding, clock: &Clock) -> Result<Response<Body>, Refusal> {
        let work: Pin<&mut (dyn Future<Output = Response<Body>> + Send)> = responding.as_mut();
        let response = clock.limit(work).await;
        if let Some(fault) = self.fault_of_client(clock) {
            return Err(fault);
        }
        response.ok_or_else(|| Refusal::new(ErrorKind::Deadline, "the module did not answer in time"))
    }

    /// Looks the request up again.
    fn successor(&self, entry: &Entry, request: &mut Request<Body>) -> Result<Arc<Entry>, Refusal> {
        let table = self.routes.load();
        let next = match entry.lane {
            Lane::Grpc => table.grpc(request.uri().path()).cloned(),
            Lane::Http => {
                let uri = target::restore(request.uri(), &entry.prefix).ok_or_else(bad_target)?;
                match table.http(request.method(), uri.path()) {
                    Found::Route(next) => {
                        let (mut head, body) = std::mem::replace(request, Request::new(Body::empty())).into_parts();
                        head.uri = uri;
                        target::strip(&mut head, &next.prefix).ok_or_else(bad_target)?;
                        *request = Request::from_parts(head, body);
                        Some(next)
                    }
                    _ => None,
                }
            }
        };
        // Who may call was decided for the old route. A successor that is stricter has to be asked anew.
        match next {
            Some(next) if next.policy == entry.policy => Ok(next),
            Some(next) => Err(refusal(ErrorKind::Draining, &next, "has just changed who may call this")),
            None => Err(refusal(ErrorKind::Draining, entry, "was just stopped")),
        }
    }
}

fn refusal(kind: ErrorKind, entry: &Entry, what: &str) -> Refusal {
    Refusal::new(kind, format!("module {:?} {what}, try again", entry.module))
}

fn bad_target() -> Refusal {
    Refusal::new(ErrorKind::BadRequest, "found a request target that cannot be read, expected a path")
}
