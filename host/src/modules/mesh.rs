//! From module to module: straight to the callee's endpoint, or over a socket of this host when that is asked for.

mod deadline;

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderValue, Request, Uri};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::endpoint::{CallInfo, Refused, RefusedBecause, Responding};
use crate::domain::route::Lane;
use crate::domain::route::Policy;
use crate::http::body::{Body, BoxError};
use crate::http::problem::{ErrorKind, Problem};
use crate::http::routes::{Entry, Routes};
use crate::security::call_token::WHARF_CALL;
use crate::security::{Authorizer, CallTokens, Decision, Principal};
use crate::services::Channels;

/// How often a call looks for the successor of a module that drains.
const LOOKS: usize = 8;

type ClientBody = http_body_util::combinators::UnsyncBoxBody<Bytes, BoxError>;

/// The way between modules.
pub struct Mesh {
    routes: Arc<Routes>,
    authorizer: Arc<dyn Authorizer>,
    tokens: Option<Arc<CallTokens>>,
    loopback: OnceLock<Loopback>,
}

struct Loopback {
    address: SocketAddr,
    client: Client<HttpConnector, ClientBody>,
}

impl Mesh {
    /// In process, until a loopback address is given.
    #[must_use]
    pub fn new(routes: Arc<Routes>, authorizer: Arc<dyn Authorizer>) -> Self {
        Self {
            routes,
            authorizer,
            tokens: None,
            loopback: OnceLock::new(),
        }
    }

    /// Seals who calls with these, where a call leaves the process; the listener has to have the same. Without them such calls are
    /// anonymous.
    #[must_use]
    pub fn with_tokens(mut self, tokens: Arc<CallTokens>) -> Self {
        self.tokens = Some(tokens);
        self
    }

    /// From now on every call goes over a socket to this address, which is a listener of this host.
    pub fn use_loopback(&self, address: SocketAddr) {
        // Else a head waits for the acknowledgement of what went before it, 40 ms a call on Linux.
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .http2_only(true)
            .build(connector);
        let _ = self.loopback.set(Loopback { address, client });
    }
}

impl Channels for Mesh {
    fn call(&self, module: &str, request: Request<Body>, mut info: CallInfo) -> Responding {
        deadline::name(request.headers(), &mut info);
        let begun = match self.loopback.get() {
            // Looked up here too: a channel leads to its module and to no other, and one that does not run is unavailable.
            Some(loopback) => self
                .find(module, request.uri().path())
                .map(|_| loopback.call(module, request, &info, self.tokens.as_deref())),
            None => self.enter(module, request, &info),
        };
        match begun {
            Ok(responding) => deadline::keep(responding, &info),
            Err((kind, detail)) => Box::pin(async move { Problem::response(kind, &detail, &info.request_id, true) }),
        }
    }
}

impl Mesh {
    fn find(&self, module: &str, path: &str) -> Result<Arc<Entry>, (ErrorKind, String)> {
        let table = self.routes.load();
        if let Some(entry) = table.grpc(path).filter(|entry| *entry.module == *module) {
            return Ok(Arc::clone(entry));
        }
        Err(if table.rows().iter().any(|row| row.module == module) {
            (ErrorKind::NotFound, format!("module {module} has no method {path}"))
        } else {
            (ErrorKind::Unavailable, format!("module {module} is not running"))
        })
    }

    /// The same policies as at the listener; the caller is who the host says it is.
    fn admit(&self, who: &Principal, policy: &Policy) -> Result<(), (ErrorKind, String)> {
        let known = || match who {
            Principal::Anonymous => Err((ErrorKind::Unauthenticated, "this method needs a caller who is known".to_owned())),
            Principal::Known(_) => Ok(()),
        };
        match policy {
            Policy::Public => Ok(()),
            Policy::Authenticated => known(),
            Policy::Require(permission) => {
                known()?;
                match self.authorizer.holds(who, permission) {
                    Decision::Allow => Ok(()),
                    Decision::Deny => Err((ErrorKind::Forbidden, format!("{} does not hold {permission}", who.subject()))),
                    Decision::Unknown => Err((ErrorKind::Unavailable, "the rules are not known at this moment".to_owned())),
                }
            }
        }
    }

    fn enter(&self, module: &str, mut request: Request<Body>, info: &CallInfo) -> Result<Responding, (ErrorKind, String)> {
        for _ in 0..LOOKS {
            let entry = self.find(module, request.uri().path())?;
            self.admit(&info.principal, &entry.policy)?;
            let Refused { request: back, because } = match entry.endpoint.call(Lane::Grpc, request, info.clone()) {
                Ok(responding) => return Ok(responding),
                Err(refused) => *refused,
            };
            request = back;
            match because {
                RefusedBecause::Draining => {}
                RefusedBecause::Busy => return Err((ErrorKind::Busy, format!("module {module} has too many calls in flight"))),
                RefusedBecause::Unavailable => return Err((ErrorKind::Unavailable, format!("module {module} is not running"))),
            }
        }
        Err((ErrorKind::Draining, format!("module {module} is being replaced")))
    }
}

impl Loopback {
    fn call(&self, module: &str, request: Request<Body>, info: &CallInfo, tokens: Option<&CallTokens>) -> Responding {
        let (module, request_id) = (module.to_owned(), info.request_id);
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let Ok(uri) = Uri::builder()
            .scheme("http")
            .authority(self.address.to_string())
            .path_and_query(path)
            .build()
        else {
            return Box::pin(async move { Problem::response(ErrorKind::BadRequest, "the path of the call is not one", &request_id, true) });
        };
        parts.uri = uri;
        parts.version = http::Version::HTTP_2;
        carry(&mut parts.headers, info);
        let above = tokens.and_then(|tokens| tokens.keep_above(info));
        if let Some(token) = tokens.and_then(|tokens| tokens.seal(&module, parts.uri.path(), info, above.as_ref())) {
            parts.headers.insert(WHARF_CALL, token);
        }
        let sent = self.client.request(Request::from_parts(parts, body.boxed_unsync()));
        Box::pin(async move {
            let _above = above;
            match sent.await {
                Ok(response) => response.map(Body::new),
                Err(error) => {
                    tracing::warn!(callee = module, error = %error, "a call over the loopback failed");
                    Problem::response(ErrorKind::Unavailable, "the module cannot be reached", &request_id, true)
                }
            }
        })
    }
}

/// Trace and deadline as headers. Patience is no deadline: it would cut streams that may take any time.
fn carry(headers: &mut http::HeaderMap, info: &CallInfo) {
    if info.trace_id != [0; 16] {
        let (trace, span) = (u128::from_be_bytes(info.trace_id), u64::from_be_bytes(info.span_id));
        if let Ok(value) = HeaderValue::from_str(&format!("00-{trace:032x}-{span:016x}-{:02x}", info.trace_flags)) {
            headers.insert("traceparent", value);
        }
    }
    if let Some(at) = info.deadline.filter(|_| info.deadline_is_named) {
        let left: Duration = at.saturating_duration_since(Instant::now());
        // gRPC: at most eight digits.
        let value = format!("{}m", left.as_millis().min(99_999_999));
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert("grpc-timeout", value);
        }
    }
}
