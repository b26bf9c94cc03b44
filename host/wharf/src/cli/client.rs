//! Talks to a running host: over its admin socket, or over HTTPS in the name of whoever is logged in there.

use std::path::{Path, PathBuf};
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
use super::remote::Remote;

/// Longest answer that is read.
const LONGEST_ANSWER: usize = 64 << 20;
/// How long a question may take.
const ASK: Duration = Duration::from_secs(30);
/// How long a change may take: start, drain and stop have deadlines of their own, which are shorter.
const CHANGE: Duration = Duration::from_secs(600);

/// A client of one host.
#[derive(Debug)]
pub(crate) struct AdminClient(Way);

/// How it is reached.
#[derive(Debug)]
enum Way {
    /// Over its admin socket, as the host's user or root.
    Socket(PathBuf),
    /// Over HTTPS, with the permissions of whoever is logged in.
    Remote(Remote),
}

impl AdminClient {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self(Way::Socket(socket))
    }

    pub(super) fn remote(remote: Remote) -> Self {
        Self(Way::Remote(remote))
    }

    /// Whether it acts in the name of an account, and not as the host.
    pub(super) fn is_somebody(&self) -> bool {
        matches!(self.0, Way::Remote(_))
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

    /// Calls a unary method of a core module, `wharf.authz.v1.Roles` and `Create`: over the socket as the host, somewhere else in the
    /// name of whoever is logged in. Messages are their proto3 JSON (field names in camelCase, 64-bit integers as strings, defaults
    /// left out).
    pub(super) async fn rpc<T: DeserializeOwned>(
        &self,
        service: &str,
        method: &str,
        message: &impl serde::Serialize,
    ) -> Result<T, Failure> {
        let body = serde_json::to_vec(message).map_err(|e| Failure::failed("cannot write the request", &e.to_string(), ""))?;
        match &self.0 {
            Way::Socket(_) => self.call("POST", &format!("/call/{service}/{method}"), Some(body), ASK).await,
            Way::Remote(remote) => remote.call(&format!("{service}/{method}"), body).await,
        }
    }

    async fn call<T: DeserializeOwned>(&self, method: &str, path: &str, body: Option<Vec<u8>>, limit: Duration) -> Result<T, Failure> {
        let (status, answer) = match &self.0 {
            Way::Socket(socket) => {
                let stream = UnixStream::connect(socket).await.map_err(|e| no_host(socket, &e))?;
                let asked = tokio::time::timeout(limit, exchange(stream, method, path, body)).await;
                let asked = asked.map_err(|_| self.broken(&format!("no answer within {} s", limit.as_secs())))?;
                let (status, answer) = asked.map_err(|e| self.broken(&e.to_string()))?;
                (status, answer.to_vec())
            }
            Way::Remote(remote) => remote_exchange(remote, method, path, body, limit).await?,
        };
        if (200..300).contains(&status) {
            return serde_json::from_slice(&answer).map_err(|e| self.broken(&format!("an answer this build cannot read: {e}")));
        }
        match (serde_json::from_slice::<Problem>(&answer), &self.0) {
            (Ok(problem), _) => Err(ControlError::from(problem).into()),
            // What stands before the admin API answers in its own form.
            (Err(_), Way::Remote(remote)) => Err(remote.refused(status, &answer)),
            (Err(_), Way::Socket(_)) => Err(self.broken(&format!("status {status} without a problem"))),
        }
    }

    fn broken(&self, what: &str) -> Failure {
        let socket = match &self.0 {
            Way::Socket(socket) => socket,
            Way::Remote(remote) => return remote.broken(what),
        };
        let message = format!("the host at {}: {what}", socket.display());
        Failure::new(
            Exit::Failed,
            "host.protocol",
            message,
            "see the host's log, and whether host and command line are of one version",
        )
    }
}

fn no_host(socket: &Path, error: &std::io::Error) -> Failure {
    let hint = match error.kind() {
        std::io::ErrorKind::PermissionDenied => "the socket answers only to the host's own user and to root",
        _ => "start one with `wharf serve`, or name its socket with --socket or --config",
    };
    Failure::new(
        Exit::NoHost,
        "host.unreachable",
        format!("no host answers at {}: {error}", socket.display()),
        hint,
    )
}

async fn remote_exchange(
    remote: &Remote,
    method: &str,
    path: &str,
    body: Option<Vec<u8>>,
    limit: Duration,
) -> Result<(u16, Vec<u8>), Failure> {
    let method =
        reqwest::Method::from_bytes(method.as_bytes()).map_err(|e| Failure::failed("cannot write the request", &e.to_string(), ""))?;
    let bearer = remote.bearer().await?;
    let body = ("application/json", body.unwrap_or_default());
    remote
        .send(method, &format!("/admin/v1{path}"), Some(&bearer), Some(body), limit)
        .await
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
