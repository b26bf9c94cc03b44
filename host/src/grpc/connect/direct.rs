//! Calls of the host itself: a unary method of a module, with JSON, in the name of somebody the host vouches for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Version};

use super::codec;
use super::reply::Reply;
use crate::http::body::Body;
use crate::http::gateway::Refusal;
use crate::http::problem::grpc_name;
use crate::http::request_id::{RequestId, random_u64};
use crate::http::routes::Routes;
use crate::modules::belongings::Belongings;
use crate::modules::endpoint::CallInfo;
use crate::security::Principal;
use crate::services::Channels;

/// Longest answer that is read.
const LONGEST_ANSWER: u64 = 16 << 20;

/// Takes calls of the host to unary gRPC methods of modules, under the policies of the methods.
#[derive(Clone)]
pub struct Calls {
    routes: Arc<Routes>,
    channels: Arc<dyn Channels>,
}

/// Why a call did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct CallFailed {
    /// gRPC status.
    pub code: i32,
    /// The status in words: `not_found`.
    pub name: &'static str,
    /// What the module, or the host in its place, says.
    pub message: String,
}

impl Calls {
    /// Calls to the modules of this table.
    #[must_use]
    pub fn new(routes: Arc<Routes>, channels: Arc<dyn Channels>) -> Self {
        Self { routes, channels }
    }

    /// The module that serves `/package.Service/Method`, if one does.
    #[must_use]
    pub fn module_of(&self, path: &str) -> Option<String> {
        self.routes.load().grpc(path).map(|entry| entry.module.to_string())
    }

    /// Calls `/package.Service/Method` with a JSON message and gives the JSON of the answer.
    ///
    /// # Errors
    /// [`CallFailed`] with the status of the module, or of the host when the call never came that far.
    pub async fn json(&self, who: Principal, path: &str, message: &[u8], limit: Duration) -> Result<Bytes, CallFailed> {
        let entry = self.routes.load().grpc(path).cloned();
        let entry = entry.ok_or_else(|| CallFailed::new(12, format!("no module serves {path}")))?;
        let method = super::unary(&entry)?;
        let empty = message.iter().all(u8::is_ascii_whitespace);
        let wire = codec::json_to_wire(&method, if empty { b"{}" } else { message })?;
        let responding = self.channels.call(&entry.module, request(path, &wire)?, info(who, limit));
        let reply = tokio::time::timeout(limit, async { Reply::read(responding.await, LONGEST_ANSWER).await })
            .await
            .map_err(|_| CallFailed::new(4, format!("no answer within {} s", limit.as_secs())))??;
        match reply.message {
            Some(message) if reply.code == 0 => Ok(codec::to_json(&method, message)?),
            _ => Err(CallFailed::new(reply.code, reply.text)),
        }
    }
}

impl CallFailed {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self {
            code,
            name: grpc_name(code),
            message: message.into(),
        }
    }
}

impl From<Refusal> for CallFailed {
    fn from(refusal: Refusal) -> Self {
        Self::new(refusal.kind.row().grpc, refusal.detail)
    }
}

impl std::fmt::Debug for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Calls")
    }
}

fn request(path: &str, message: &[u8]) -> Result<Request<Body>, CallFailed> {
    let mut request = Request::new(Body::full(codec::frame(message)));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = path
        .parse()
        .map_err(|_| CallFailed::new(3, format!("found {path:?}, expected /package.Service/Method")))?;
    *request.version_mut() = Version::HTTP_2;
    let headers: &mut HeaderMap = request.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(http::header::TE, HeaderValue::from_static("trailers"));
    Ok(request)
}

fn info(principal: Principal, limit: Duration) -> CallInfo {
    CallInfo {
        request_id: RequestId::random(),
        trace_id: [0; 16],
        span_id: random_u64().to_be_bytes(),
        trace_flags: 0,
        peer: None,
        deadline: Some(Instant::now() + limit),
        deadline_is_named: true,
        caller: None,
        principal,
        belongings: Belongings::default(),
    }
}
