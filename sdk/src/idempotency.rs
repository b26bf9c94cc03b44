//! Routes whose effect happens once, however often a client sends the request: the header field `Idempotency-Key`
//! (draft-ietf-httpapi-idempotency-key-header-07).
//!
//! The SDK opens a transaction, lends it to the handler as [`Tx`], and writes the response into the module's table
//! `wharf_idempotency` in that same transaction before it commits. So effect and answer are there together or not at all: there is
//! no state in between that a crash could leave.

mod key;
mod table;
mod tx;

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use sea_orm::TransactionTrait;

use crate::bridge::scope;
use crate::problem::Problem;
use crate::services::database::{Db, Tx as DbTx};

pub(crate) use table::{entity, migration};
pub use tx::Tx;

/// Longest body of a request or response of such a route.
const MAX_BODY: usize = 1 << 20;
/// How often old rows are removed.
const PURGE_MS: i64 = 60_000;
/// Says that a response is the one of an earlier request.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// The routes of an instance that asked for it.
#[derive(Default)]
pub(crate) struct Guarded {
    routes: Vec<Mark>,
    running: Mutex<HashSet<String>>,
    purged_ms: AtomicI64,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) method: String,
    pub(crate) template: String,
    pub(crate) keep: Duration,
}

/// A key that is being worked on here.
struct Running<'a> {
    guarded: &'a Guarded,
    scope: String,
}

impl Guarded {
    pub(crate) fn new(routes: Vec<Mark>) -> Self {
        Self { routes, ..Self::default() }
    }

    fn mark(&self, request: &Request) -> Option<&Mark> {
        let template = request.extensions().get::<MatchedPath>()?.as_str();
        let is_it = |mark: &&Mark| mark.template == template && (mark.method == "*" || mark.method == request.method().as_str());
        self.routes.iter().find(is_it)
    }

    fn begin(&self, scope: &str) -> Option<Running<'_>> {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(scope.to_owned()).then(|| Running {
            guarded: self,
            scope: scope.to_owned(),
        })
    }

    async fn answer(&self, mark: &Mark, request: Request, next: Next) -> Result<Response, Problem> {
        let (head, body) = request.into_parts();
        let key = key::read(&head.headers)?;
        let body = read(body).await.map_err(|_| too_large())?;
        let scope = key::scope(mark, &key);
        let hash = key::hash(&head, &body);
        let _running = self.begin(&scope).ok_or_else(in_progress)?;
        let core = scope::current_call(|call| call.core.clone())
            .ok_or_else(|| Problem::internal("a route with `.idempotent()` was called outside of a call"))?;
        let link = core.link()?;
        let tx = Db::new(link.clone()).begin().await?;
        if !table::lock(&tx, &scope).await? {
            return Err(in_progress());
        }
        if let Some(row) = table::find(&tx, &scope, now_ms()).await? {
            tx.rollback().await?;
            return replay(row, &hash);
        }
        let mut request = Request::from_parts(head, Body::from(body));
        request.extensions_mut().insert(tx::Lent::of(link, tx.id()));
        let response = next.run(request).await;
        self.finish(mark, tx, &scope, hash, response).await
    }

    /// Commits what succeeded, together with its answer; takes back what did not.
    async fn finish(&self, mark: &Mark, tx: DbTx, scope: &str, hash: String, response: Response) -> Result<Response, Problem> {
        let status = response.status();
        if !status.is_success() && !status.is_redirection() {
            tx.rollback().await?;
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = read(body)
            .await
            .map_err(|error| Problem::internal(format!("the response of an idempotent route cannot be kept: {error}")))?;
        let text = |name: HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let now = now_ms();
        let row = table::Model {
            scope: scope.to_owned(),
            hash,
            status: i32::from(status.as_u16()),
            content_type: text(header::CONTENT_TYPE),
            location: text(header::LOCATION),
            body: body.to_vec(),
            expires_ms: now.saturating_add(i64::try_from(mark.keep.as_millis()).unwrap_or(i64::MAX)),
        };
        table::put(&tx, row).await?;
        let before = self.purged_ms.load(Ordering::Relaxed);
        if now - before >= PURGE_MS {
            self.purged_ms.store(now, Ordering::Relaxed);
            table::purge(&tx, now).await?;
        }
        tx.commit().await?;
        Ok(Response::from_parts(head, Body::from(body)))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut running = self.guarded.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.scope);
    }
}

/// Stands before the handlers of a module that has such routes.
pub(crate) async fn guard(State(guarded): State<Arc<Guarded>>, request: Request, next: Next) -> Response {
    let mark = match guarded.mark(&request) {
        // A HEAD that axum answers with the handler of GET changes nothing.
        Some(mark) if request.method() != Method::HEAD => mark.clone(),
        _ => return next.run(request).await,
    };
    match guarded.answer(&mark, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

fn replay(row: table::Model, hash: &str) -> Result<Response, Problem> {
    if row.hash != hash {
        return Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency-key-reused",
            "this Idempotency-Key came with another request before; use a new key for a new request",
        ));
    }
    let mut response = Response::new(Body::from(row.body));
    let status = u16::try_from(row.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    *response.status_mut() = status.unwrap_or(StatusCode::OK);
    for (name, value) in [(header::CONTENT_TYPE, row.content_type), (header::LOCATION, row.location)] {
        if let Some(value) = value.and_then(|value| HeaderValue::try_from(value).ok()) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

async fn read(body: Body) -> Result<bytes::Bytes, Box<dyn std::error::Error + Send + Sync>> {
    Ok(Limited::new(body, MAX_BODY).collect().await?.to_bytes())
}

fn in_progress() -> Problem {
    Problem::new(
        StatusCode::CONFLICT,
        "idempotency-key-in-use",
        "a request with this Idempotency-Key is being worked on; send it again when that has ended",
    )
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body-too-large",
        format!("found a request body of more than {MAX_BODY} bytes or one that broke off, expected at most that many"),
    )
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
