//! Connections to a server under test, and waiting for what must come.

use std::convert::Infallible;
use std::fs;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::Value;
use tokio::net::TcpStream;
use wharf_tests::TestServer;

pub const MIB: u64 = 1 << 20;

pub type Sent = UnsyncBoxBody<Bytes, Infallible>;

/// One connection of either protocol.
pub enum Client {
    One(SocketAddr, http1::SendRequest<Sent>),
    Two(SocketAddr, http2::SendRequest<Sent>),
}

/// So many bytes, made as they are sent.
pub struct Made(pub u64);

impl Client {
    pub async fn one(address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (client, connection) = http1::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self::One(address, client)
    }

    pub async fn two(address: SocketAddr) -> Self {
        let stream = TokioIo::new(TcpStream::connect(address).await.unwrap());
        let (client, connection) = http2::handshake(TokioExecutor::new(), stream).await.unwrap();
        tokio::spawn(connection);
        Self::Two(address, client)
    }

    /// One of each.
    pub async fn both(address: SocketAddr) -> [Self; 2] {
        [Self::one(address).await, Self::two(address).await]
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::One(..) => "HTTP/1.1",
            Self::Two(..) => "HTTP/2",
        }
    }

    /// Sends a request whose target is a path.
    pub async fn send(&mut self, request: Request<Sent>) -> Response<Incoming> {
        let (Self::One(address, _) | Self::Two(address, _)) = self;
        let address = *address;
        let (mut head, body) = request.into_parts();
        head.uri = format!("http://{address}{}", head.uri).parse().unwrap();
        head.headers.insert("host", address.to_string().parse().unwrap());
        let request = Request::from_parts(head, body);
        let sent = async {
            match self {
                Self::One(_, client) => {
                    client.ready().await?;
                    client.send_request(request).await
                }
                Self::Two(_, client) => {
                    client.ready().await?;
                    client.send_request(request).await
                }
            }
        };
        soon("an answer", sent).await.unwrap()
    }

    pub async fn get(&mut self, path: &str) -> Response<Incoming> {
        self.send(Request::get(path).body(empty()).unwrap()).await
    }

    pub async fn get_json(&mut self, path: &str) -> (StatusCode, Value) {
        json(self.get(path).await).await
    }
}

impl Body for Made {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let length = self.0.min(64 * 1024);
        self.0 -= length;
        Poll::Ready((length > 0).then(|| Ok(Frame::data(vec![b'x'; length as usize].into()))))
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0)
    }
}

pub fn empty() -> Sent {
    Empty::new().boxed_unsync()
}

pub fn full(bytes: impl Into<Bytes>) -> Sent {
    Full::new(bytes.into()).boxed_unsync()
}

pub async fn json(response: Response<Incoming>) -> (StatusCode, Value) {
    let status = response.status();
    let body = soon("the body", response.into_body().collect()).await.unwrap().to_bytes();
    let value = serde_json::from_slice(&body).unwrap_or_else(|_| panic!("status {status}: {}", String::from_utf8_lossy(&body)));
    (status, value)
}

/// Reads a body to its end and keeps nothing but its length.
pub async fn drain(response: Response<Incoming>) -> u64 {
    let mut body = response.into_body();
    let mut bytes = 0;
    while let Some(frame) = soon("a frame", body.frame()).await {
        bytes += frame.unwrap().data_ref().map_or(0, |data| data.len() as u64);
    }
    bytes
}

/// What must come, with a deadline.
pub async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let limit = Duration::from_secs(60);
    tokio::time::timeout(limit, work)
        .await
        .unwrap_or_else(|_| panic!("no {what} within {limit:?}"))
}

/// Asks until the answer is the one.
pub async fn eventually<T: std::fmt::Debug>(what: &str, mut ask: impl AsyncFnMut() -> T, good: impl Fn(&T) -> bool) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask().await;
        if good(&answer) {
            return answer;
        }
        assert!(Instant::now() < until, "{what}: found {answer:?} to the end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Private resident memory of the server in bytes.
pub fn private_bytes(server: &TestServer) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.process().id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// Runs a `wharf` command against the server and returns what it printed as JSON.
pub async fn wharf(server: &TestServer, arguments: &[&str]) -> Result<Value, String> {
    let mut command = tokio::process::Command::from(server.command(arguments));
    let output = soon("the end of a command", command.arg("--json").output()).await.unwrap();
    if output.status.success() {
        Ok(serde_json::from_slice(&output.stdout).unwrap())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}
