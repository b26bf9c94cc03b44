//! Talks to a running host over its admin socket.

use std::path::PathBuf;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use wharf_host::admin::Problem;
use wharf_host::modules::control::ControlError;

use super::exit::{Exit, Failure};

/// Longest answer that is read.
const LONGEST_ANSWER: usize = 64 << 20;
/// How long a question may take.
const ASK: Duration = Duration::from_secs(30);
/// How long a change may take: start, drain and stop have deadlines of their own, which are shorter.
const CHANGE: Duration = Duration::from_secs(600);

/// A client of one host.
#[derive(Debug)]
pub(crate) struct AdminClient {
    socket: PathBuf,
}

impl AdminClient {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// Asks.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call("GET", path, None, ASK).await
    }

    /// Changes something.
    pub(super) async fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call("POST", path, None, CHANGE).await
    }

    /// Sets something.
    pub(super) async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl serde::Serialize) -> Result<T, Failure> {
        let body = serde_json::to_vec(body).map_err(|e| Failure::failed("cannot write the request", &e.to_string(), ""))?;
        self.call("PUT", path, Some(body), ASK).await
    }

    /// Calls a unary method of a core module, `wharf.authz.v1.Roles` and `Create`, as the host. Messages are their proto3 JSON
    /// (field names in camelCase, 64-bit integers as strings, defaults left out).
    pub(super) async fn rpc<T: DeserializeOwned>(
        &self,
        service: &str,
        method: &str,
        message: &impl serde::Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(message).map_err(|e| Failure::failed("cannot write the request", &e.to_string(), ""))?;
        self.call("POST", &format!("/call/{service}/{method}"), Some(body), ASK).await
    }

    async fn call<T: DeserializeOwned>(&self, method: &str, path: &str, body: Option<Vec<u8>>, limit: Duration) -> Result<T, Failure> {
        let stream = UnixStream::connect(&self.socket).await.map_err(|e| self.no_host(&e))?;
        let (status, answer) = tokio::time::timeout(limit, exchange(stream, method, path, body))
            .await
            .map_err(|_| self.broken(&format!("no answer within {} s", limit.as_secs())))?
            .map_err(|e| self.broken(&e.to_string()))?;
        if (200..300).contains(&status) {
            return serde_json::from_slice(&answer).map_err(|e| self.broken(&format!("an answer this build cannot read: {e}")));
        }
        let problem: Problem = serde_json::from_slice(&answer).map_err(|_| self.broken(&format!("status {status} without a problem")))?;
        Err(ControlError::from(problem).into())
    }

    fn no_host(&self, error: &std::io::Error) -> Failure {
        let hint = match error.kind() {
            std::io::ErrorKind::PermissionDenied => "the socket answers only to the host's own user and to root",
            _ => "start one with `wharf serve`, or name its socket with --socket or --config",
        };
        Failure::new(
            Exit::NoHost,
            "host.unreachable",
            format!("no host answers at {}: {error}", self.socket.display()),
            hint,
        )
    }

    fn broken(&self, what: &str) -> Failure {
        let message = format!("the host at {}: {what}", self.socket.display());
        Failure::new(
            Exit::Failed,
            "host.protocol",
            message,
            "see the host's log, and whether host and command line are of one version",
        )
    }
}

async fn exchange(stream: UnixStream, method: &str, path: &str, body: Option<Vec<u8>>) -> anyhow::Result<(u16, Bytes)> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let driver = tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(format!("/admin/v1{path}"))
        .header("host", "wharf")
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.unwrap_or_default())))?;
    let response = sender.send_request(request).await?;
    let status = response.status().as_u16();
    let answer = Limited::new(response.into_body(), LONGEST_ANSWER)
        .collect()
        .await
        .map_err(anyhow::Error::from_boxed)?
        .to_bytes();
    driver.abort();
    Ok((status, answer))
}
