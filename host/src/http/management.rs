//! What the host answers itself over HTTP: probes, metrics, and routers of its own such as the admin API.

use std::fmt::Write as _;
use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use tower_service::Service;

use super::body::Body;
use super::gateway::Local;
use crate::domain::status::{HostStatus, State};
use crate::modules::control::{Control, ControlError};
use crate::modules::endpoint::Responding;

/// `/livez` and `/readyz`, which tell in one word whether the process runs and whether it takes requests. On the
/// management listener `?verbose` adds a line for each module.
pub struct Probes {
    control: Arc<dyn Control>,
    verbose: bool,
    /// Further lines, each well or not.
    lines: Lines,
}

type Lines = Arc<dyn Fn() -> Vec<(bool, String)> + Send + Sync>;

/// `/metrics` in the text format of Prometheus.
pub struct Metrics<F>(F);

/// An axum router under a prefix, such as the admin API.
pub struct Mount {
    prefix: String,
    router: axum::Router,
}

impl Probes {
    /// Probes without details, for the public listener.
    #[must_use]
    pub fn new(control: Arc<dyn Control>) -> Self {
        Self {
            control,
            verbose: false,
            lines: Arc::new(Vec::new),
        }
    }

    /// Probes that take `?verbose`, for the management listener.
    #[must_use]
    pub fn verbose(control: Arc<dyn Control>) -> Self {
        Self {
            verbose: true,
            ..Self::new(control)
        }
    }

    /// Adds lines to the verbose form, each with whether it is well. They do not decide about readiness.
    #[must_use]
    pub fn with_lines(mut self, lines: impl Fn() -> Vec<(bool, String)> + Send + Sync + 'static) -> Self {
        self.lines = Arc::new(lines);
        self
    }
}

impl<F: Fn() -> String + Send + Sync + 'static> Metrics<F> {
    /// Serves what this closure renders.
    #[must_use]
    pub fn new(render: F) -> Self {
        Self(render)
    }
}

impl Mount {
    /// Serves a router below a prefix, which is taken off the path. The prefix begins with a slash and does not end with one.
    #[must_use]
    pub fn new(prefix: impl Into<String>, router: axum::Router) -> Self {
        Self {
            prefix: prefix.into(),
            router,
        }
    }
}

impl Local for Probes {
    fn call(&self, request: Request<Body>) -> Result<Responding, Box<Request<Body>>> {
        let ready = match request.uri().path() {
            "/livez" => false,
            "/readyz" => true,
            _ => return Err(Box::new(request)),
        };
        if !is_read(request.method()) {
            return Ok(Box::pin(std::future::ready(wrong_method())));
        }
        let asked = request
            .uri()
            .query()
            .is_some_and(|query| query.split('&').any(|pair| pair == "verbose" || pair.starts_with("verbose=")));
        let verbose = self.verbose && asked;
        if !ready && !verbose {
            return Ok(Box::pin(std::future::ready(text(StatusCode::OK, "ok\n".to_owned()))));
        }
        let control = Arc::clone(&self.control);
        let lines = Arc::clone(&self.lines);
        Ok(Box::pin(async move {
            let lines = if verbose { lines() } else { Vec::new() };
            probe(control.status().await, ready, verbose, &lines)
        }))
    }
}

impl<F: Fn() -> String + Send + Sync + 'static> Local for Metrics<F> {
    fn call(&self, request: Request<Body>) -> Result<Responding, Box<Request<Body>>> {
        if request.uri().path() != "/metrics" {
            return Err(Box::new(request));
        }
        let mut response = if is_read(request.method()) {
            text(StatusCode::OK, (self.0)())
        } else {
            wrong_method()
        };
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
        Ok(Box::pin(std::future::ready(response)))
    }
}

impl Local for Mount {
    fn call(&self, request: Request<Body>) -> Result<Responding, Box<Request<Body>>> {
        let rest = request.uri().path().strip_prefix(&*self.prefix);
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Err(Box::new(request));
        }
        let (mut head, body) = request.into_parts();
        if super::gateway::strip_target(&mut head, &self.prefix).is_none() {
            return Err(Box::new(Request::from_parts(head, body)));
        }
        let answer = self.router.clone().call(Request::from_parts(head, body));
        Ok(Box::pin(async move {
            match answer.await {
                Ok(response) => response.map(Body::new),
                Err(never) => match never {},
            }
        }))
    }
}

impl std::fmt::Debug for Probes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probes").field("verbose", &self.verbose).finish_non_exhaustive()
    }
}

impl<F> std::fmt::Debug for Metrics<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

impl std::fmt::Debug for Mount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mount").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

fn probe(status: Result<HostStatus, ControlError>, ready: bool, verbose: bool, lines: &[(bool, String)]) -> Response<Body> {
    let status = match status {
        Ok(status) => status,
        // The sentence of a control error is meant for operators, and only they see the verbose form.
        Err(error) if verbose => return text(StatusCode::SERVICE_UNAVAILABLE, format!("[-]host {error}\n")),
        Err(_) => return text(StatusCode::SERVICE_UNAVAILABLE, "not ready\n".to_owned()),
    };
    let good = !ready || status.ready;
    let code = if good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut out = String::new();
    if verbose {
        // Writing to a string cannot fail.
        let _ = writeln!(
            out,
            "[{}]host {} {}",
            if status.ready { '+' } else { '-' },
            status.node,
            status.version
        );
        for module in &status.modules {
            let well = module.state == State::Running && module.health != "not-serving" && module.degraded.is_empty();
            let state = format!("{:?}", module.state).to_lowercase();
            let _ = write!(
                out,
                "[{}]{} {} {state}, health {}",
                if well { '+' } else { '-' },
                module.id,
                module.version,
                module.health
            );
            if !module.degraded.is_empty() {
                let _ = write!(out, ", degraded without {}", module.degraded.join(", "));
            }
            out.push('\n');
        }
        for (well, line) in lines {
            let _ = writeln!(out, "[{}]{line}", if *well { '+' } else { '-' });
        }
    }
    out.push_str(if good { "ok\n" } else { "not ready\n" });
    text(code, out)
}

fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn wrong_method() -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, String::new());
    response
        .headers_mut()
        .insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn text(status: StatusCode, text: String) -> Response<Body> {
    let mut response = Response::new(Body::full(text));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
