//! One OpenAPI 3.1 document of everything that modules serve: what they say of their routes, and what the host knows of them.
//!
//! The route table decides: a route without a description is listed without bodies, a description without a route is left out.
//! Who may call, and what the host answers by itself, is the host's to say.

mod document;
mod merge;
mod rpc;

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::body::Body;
use super::gateway::Local;
use super::routes::{RouteTable, Routes};
use crate::modules::endpoint::Responding;

pub use document::whole;

/// Where the document is.
pub const PATH: &str = "/openapi.json";

/// Serves [`PATH`]. The document is made again when the route table has changed.
pub struct ApiDocument {
    routes: Arc<Routes>,
    made: Mutex<Option<Made>>,
}

#[derive(Clone)]
struct Made {
    of: Arc<RouteTable>,
    bytes: Bytes,
    etag: HeaderValue,
}

impl ApiDocument {
    /// The document of these routes.
    #[must_use]
    pub fn new(routes: Arc<Routes>) -> Self {
        Self {
            routes,
            made: Mutex::new(None),
        }
    }

    fn made(&self) -> Made {
        let table = Arc::clone(&self.routes.load());
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some(made) if Arc::ptr_eq(&made.of, &table) => made.clone(),
            _ => made.insert(Made::of(table)).clone(),
        }
    }
}

impl Made {
    fn of(table: Arc<RouteTable>) -> Self {
        let bytes = Bytes::from(whole(&table).to_string());
        let hash: String = Sha256::digest(&bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        let etag = HeaderValue::from_str(&format!("\"{hash}\"")).unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        Self { of: table, bytes, etag }
    }
}

impl Local for ApiDocument {
    fn call(&self, request: Request<Body>) -> Result<Responding, Box<Request<Body>>> {
        if request.uri().path() != PATH || !matches!(*request.method(), Method::GET | Method::HEAD) {
            return Err(Box::new(request));
        }
        let made = self.made();
        let known = request.headers().get(IF_NONE_MATCH).is_some_and(|tag| *tag == made.etag);
        let mut response = Response::new(if known { Body::empty() } else { Body::full(made.bytes) });
        if known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        fields.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        fields.insert(ETAG, made.etag);
        Ok(Box::pin(std::future::ready(response)))
    }
}

impl std::fmt::Debug for ApiDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ApiDocument")
    }
}
