//! The route table: which module, which policy, decided before any module code runs.
//!
//! A lookup is one atomic load, then the longest module prefix that ends at a `/`, then the module's own
//! `matchit` router, then the method. The rules:
//!
//! * Matching is done on the path as it was sent. Nothing is decoded, merged or redirected, so that the host and
//!   the module's router, which follows the same rules, never disagree: `%2F` stays inside its segment,
//!   `/posts` and `/posts/` are two paths.
//! * The module sees the path without its prefix. The prefix alone, with or without a slash, is the module's `/`.
//! * `HEAD` is served by a `GET` route, `OPTIONS` is answered by the host, unless the module lists them itself.
//! * A gRPC method is found by its exact path.
//! * `Allow` names no hidden method, and a path whose routes are all hidden is not there for methods it does not list.

mod build;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};
use http::{HeaderValue, Method};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use tokio::sync::watch;

use crate::domain::finding::Finding;
use crate::domain::route::{GrpcMethod, Lane, Policy, Route};
use crate::modules::control::RouteRow;
use crate::modules::endpoint::Endpoint;

/// What one module brings to the table.
pub struct Mounted {
    /// Module id.
    pub id: String,
    /// HTTP prefix; none when it serves no HTTP.
    pub prefix: Option<String>,
    /// Its HTTP routes, relative to the prefix.
    pub routes: Vec<Route>,
    /// Its gRPC methods.
    pub grpc: Vec<GrpcMethod>,
    /// Where requests go.
    pub endpoint: Arc<dyn Endpoint>,
    /// Descriptors of its gRPC services, for reflection and JSON; none when it has no gRPC services.
    pub descriptors: Option<DescriptorPool>,
    /// What it says of its routes: an OpenAPI document with paths relative to the prefix.
    pub openapi: Option<Arc<serde_json::Value>>,
}

/// One route or gRPC method with everything the way of a request needs.
pub struct Entry {
    /// Module that serves it.
    pub module: Arc<str>,
    /// HTTP or gRPC.
    pub lane: Lane,
    /// Full path template with the prefix, or `/<package.Service>/<Method>`: `http.route` in metrics.
    pub template: String,
    /// Who may call.
    pub policy: Policy,
    /// Name of the rate class, if it has one of its own.
    pub rate_class: Option<String>,
    /// Whoever may not call is answered as if there were no such route. Never for gRPC.
    pub hidden: bool,
    /// Where requests go.
    pub endpoint: Arc<dyn Endpoint>,
    /// The module's prefix; empty for gRPC.
    pub(super) prefix: Arc<str>,
    /// The gRPC method, where descriptors are known.
    pub(crate) rpc: Option<MethodDescriptor>,
}

/// Answer of an HTTP lookup.
#[derive(Debug)]
pub enum Found {
    /// This route takes it.
    Route(Arc<Entry>),
    /// The path is served and the method is `OPTIONS`, which the host answers with this `Allow`.
    Options(HeaderValue),
    /// The path is served, the method is not: 405 with this `Allow`.
    WrongMethod(HeaderValue),
    /// No module serves the path.
    Nothing,
}

/// An immutable table of all routes of all modules that serve now.
#[derive(Default)]
pub struct RouteTable {
    /// Sorted by prefix.
    mounts: Vec<Mount>,
    /// Numbers of segments that prefixes have, largest first; nearly always just 1.
    depths: Vec<usize>,
    grpc: HashMap<Box<str>, Arc<Entry>>,
    services: Vec<Service>,
    rows: Vec<RouteRow>,
    documents: Vec<Document>,
}

/// What one module says of its routes.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) module: Arc<str>,
    pub(crate) prefix: Arc<str>,
    pub(crate) value: Arc<serde_json::Value>,
}

/// One gRPC service of one module.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) name: Arc<str>,
    pub(crate) module: Arc<str>,
    pub(crate) descriptors: Option<DescriptorPool>,
}

/// The handle through which the table is read and replaced.
#[derive(Debug)]
pub struct Routes {
    table: ArcSwap<RouteTable>,
    changes: watch::Sender<u64>,
}

struct Mount {
    prefix: Arc<str>,
    paths: matchit::Router<Methods>,
}

#[derive(Default)]
struct Methods {
    listed: Vec<(Method, Arc<Entry>)>,
    any: Option<Arc<Entry>>,
    /// Methods that show; none when all are hidden.
    allow: Option<HeaderValue>,
}

impl RouteTable {
    /// Builds the table of these modules, in any order.
    ///
    /// # Errors
    /// Every conflict and every route that cannot be served, of all modules at once.
    pub fn build(modules: Vec<Mounted>) -> Result<Self, Vec<Finding>> {
        build::build(modules)
    }

    /// Builds the table of what the host serves itself under policies.
    ///
    /// # Errors
    /// Every route that cannot be served.
    pub(crate) fn of_host(host: Mounted) -> Result<Self, Vec<Finding>> {
        build::of_host(host)
    }

    /// Finds the route of an HTTP request.
    #[must_use]
    pub fn http(&self, method: &Method, path: &str) -> Found {
        let Some((mount, rest)) = self.mount(path) else {
            return Found::Nothing;
        };
        match mount.paths.at(rest) {
            Ok(matched) => matched.value.pick(method),
            Err(_) => Found::Nothing,
        }
    }

    /// What [`RouteTable::http`] would find without the hidden routes of the path: for whoever may not call them.
    #[must_use]
    pub fn in_sight(&self, method: &Method, path: &str) -> Found {
        let Some((mount, rest)) = self.mount(path) else {
            return Found::Nothing;
        };
        match mount.paths.at(rest) {
            Ok(matched) => matched.value.pick_among(method, |entry| !entry.hidden),
            Err(_) => Found::Nothing,
        }
    }

    /// Finds a gRPC method by `/<package.Service>/<Method>`.
    #[must_use]
    pub fn grpc(&self, path: &str) -> Option<&Arc<Entry>> {
        self.grpc.get(path)
    }

    /// All routes, by module and path.
    #[must_use]
    pub fn rows(&self) -> &[RouteRow] {
        &self.rows
    }

    /// What modules say of their routes.
    pub(crate) fn documents(&self) -> &[Document] {
        &self.documents
    }

    /// All gRPC services, by name.
    pub(crate) fn services(&self) -> &[Service] {
        &self.services
    }

    /// One gRPC service by its full name.
    pub(crate) fn service(&self, name: &str) -> Option<&Service> {
        let place = self.services.binary_search_by(|service| (*service.name).cmp(name)).ok()?;
        self.services.get(place)
    }

    /// The module whose prefix is the longest that fits, and the rest of the path, which begins with a slash.
    fn mount<'a>(&self, path: &'a str) -> Option<(&Mount, &'a str)> {
        for depth in &self.depths {
            let Some(end) = end_of_segment(path, *depth) else { continue };
            let (prefix, rest) = path.split_at_checked(end)?;
            if let Ok(place) = self.mounts.binary_search_by(|mount| (*mount.prefix).cmp(prefix)) {
                return Some((self.mounts.get(place)?, if rest.is_empty() { "/" } else { rest }));
            }
        }
        None
    }
}

impl Methods {
    fn pick(&self, method: &Method) -> Found {
        self.pick_among(method, |_| true)
    }

    fn pick_among(&self, method: &Method, counts: impl Fn(&Entry) -> bool) -> Found {
        let listed = |wanted: &Method| {
            let mut found = self.listed.iter().filter(|(method, entry)| method == wanted && counts(entry));
            found.next().map(|(_, entry)| entry)
        };
        let by_get = || if *method == Method::HEAD { listed(&Method::GET) } else { None };
        let any = || self.any.as_ref().filter(|entry| counts(entry));
        if let Some(entry) = listed(method).or_else(by_get).or_else(any) {
            return Found::Route(Arc::clone(entry));
        }
        match &self.allow {
            None => Found::Nothing,
            Some(allow) if *method == Method::OPTIONS => Found::Options(allow.clone()),
            Some(allow) => Found::WrongMethod(allow.clone()),
        }
    }
}

impl Routes {
    /// An empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            table: ArcSwap::from_pointee(RouteTable::default()),
            changes: watch::Sender::new(0),
        }
    }

    /// Puts a new table in place: every lookup that begins after this returns finds the new one.
    /// Returns the old one, whose requests in flight are not touched.
    pub fn swap(&self, table: RouteTable) -> Arc<RouteTable> {
        let old = self.table.swap(Arc::new(table));
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
        old
    }

    /// The table of this moment. Do not keep the guard across an `await`.
    #[must_use]
    pub fn load(&self) -> Guard<Arc<RouteTable>> {
        self.table.load()
    }

    /// All routes that are served now.
    #[must_use]
    pub fn rows(&self) -> Vec<RouteRow> {
        self.load().rows().to_vec()
    }

    /// Wakes after each [`Routes::swap`]; the value counts them.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl Default for Routes {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteTable").field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            module,
            lane,
            template,
            policy,
            ..
        } = self;
        write!(f, "Entry({module} {lane:?} {template} {policy:?})")
    }
}

impl fmt::Debug for Mounted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            id, prefix, routes, grpc, ..
        } = self;
        f.debug_struct("Mounted")
            .field("id", id)
            .field("prefix", prefix)
            .field("routes", routes)
            .field("grpc", grpc)
            .finish_non_exhaustive()
    }
}

/// Where the first `segments` segments of a path end; `None` when it has fewer.
fn end_of_segment(path: &str, segments: usize) -> Option<usize> {
    let bytes = path.as_bytes();
    if bytes.first() != Some(&b'/') {
        return None;
    }
    let mut slashes = bytes
        .iter()
        .enumerate()
        .skip(1)
        .filter(|(_, byte)| **byte == b'/')
        .map(|(place, _)| place);
    match slashes.nth(segments.checked_sub(1)?) {
        Some(end) => Some(end),
        None => {
            let have = bytes.iter().filter(|byte| **byte == b'/').count();
            (have == segments).then_some(bytes.len())
        }
    }
}

#[cfg(test)]
mod tests;
