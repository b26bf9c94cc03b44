//! Connections without retries, and single requests on them.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, Bytes};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message as _;
use tokio::net::TcpStream;

use super::tally::Answer;

/// How long one request may take: far more than any should, so that a run ends in any case.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of one upload.
pub(super) const UPLOAD: usize = 1 << 20;
/// Events of one short stream.
pub(super) const EVENTS: u64 = 20;

pub(super) type Body = Full<Bytes>;

/// One HTTP/1.1 and one HTTP/2 connection.
#[derive(Debug)]
pub(super) struct Client {
    address: SocketAddr,
    http1: http1::SendRequest<Body>,
    http2: http2::SendRequest<Body>,
    /// HTTP/1.1 connections that the host closed between two requests.
    pub(super) lost: u64,
    payload: Bytes,
}

/// `swap.v1.WhichResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct WhichResponse {
    #[prost(string, tag = "1")]
    version: String,
    #[prost(uint64, tag = "2")]
    instance: u64,
}

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self {
            address,
            http1: connect_http1(address).await?,
            http2: connect_http2(address).await?,
            lost: 0,
            payload: Bytes::from(vec![b'x'; UPLOAD]),
        })
    }

    /// `GET /swap/which` over HTTP/1.1 with keep-alive.
    pub(super) async fn get_http1(&mut self) -> anyhow::Result<Answer> {
        let request = self.get("/swap/which")?;
        json(self.send_http1(request).await?).await
    }

    /// `GET /swap/which` over HTTP/2.
    pub(super) async fn get_http2(&mut self) -> anyhow::Result<Answer> {
        let request = self.get("/swap/which")?;
        json(self.send_http2(request).await?).await
    }

    /// `swap.v1.Swap/Which`.
    pub(super) async fn grpc(&mut self) -> anyhow::Result<Answer> {
        let request = grpc_request(self.address, "/swap.v1.Swap/Which", &[])?;
        let response = self.send_http2(request).await?;
        let (mut message, status) = within(async { collect_grpc(response).await }).await?;
        ensure!(status == 0, "grpc-status {status}");
        ensure!(message.len() > 5, "found a message of {} bytes", message.len());
        message.advance(5);
        let which = WhichResponse::decode(message)?;
        Ok(Answer {
            version: which.version,
            instance: which.instance,
            bytes: 0,
        })
    }

    /// `POST /swap/upload`.
    pub(super) async fn upload(&mut self, over_http2: bool) -> anyhow::Result<Answer> {
        let mut request = self.get("/swap/upload")?;
        *request.method_mut() = http::Method::POST;
        *request.body_mut() = Full::new(self.payload.clone());
        let response = if over_http2 {
            self.send_http2(request).await?
        } else {
            self.send_http1(request).await?
        };
        let answer = json(response).await?;
        ensure!(
            answer.bytes == UPLOAD as u64,
            "the module received {} bytes, expected {UPLOAD}",
            answer.bytes
        );
        Ok(answer)
    }

    /// A stream of server-sent events that is read to its end.
    pub(super) async fn events(&mut self, over_http2: bool) -> anyhow::Result<Answer> {
        let request = self.get(&format!("/swap/events?count={EVENTS}&interval_ms=1"))?;
        let mut response = if over_http2 {
            self.send_http2(request).await?
        } else {
            self.send_http1(request).await?
        };
        ensure!(response.status() == StatusCode::OK, "status {}", response.status());
        within(async {
            let mut events = Events::default();
            while let Some(frame) = response.body_mut().frame().await {
                if let Some(data) = frame?.data_ref() {
                    events.take(data)?;
                }
            }
            ensure!(events.count == EVENTS, "the stream ended after {} of {EVENTS} events", events.count);
            events.answer()
        })
        .await
    }

    async fn send_http1(&mut self, request: Request<Body>) -> anyhow::Result<Response<Incoming>> {
        // Between two requests a server may close a connection: no request is lost by that, but it is counted.
        if self.http1.ready().await.is_err() {
            self.lost += 1;
            self.http1 = connect_http1(self.address).await?;
            self.http1.ready().await?;
        }
        within(async { Ok(self.http1.send_request(request).await?) }).await
    }

    async fn send_http2(&mut self, request: Request<Body>) -> anyhow::Result<Response<Incoming>> {
        if self.http2.ready().await.is_err() {
            self.lost += 1;
            self.http2 = connect_http2(self.address).await?;
        }
        within(async { Ok(self.http2.send_request(request).await?) }).await
    }

    fn get(&self, path: &str) -> anyhow::Result<Request<Body>> {
        get_request(self.address, path)
    }
}

/// What came of a stream of server-sent events of `swap` or `greeter`.
#[derive(Debug, Default)]
pub(super) struct Events {
    text: String,
    /// Complete events, whose ids counted up from one.
    pub(super) count: u64,
    data: Option<String>,
}

impl Events {
    /// Takes a piece of the stream.
    pub(super) fn take(&mut self, piece: &[u8]) -> anyhow::Result<()> {
        self.text.push_str(std::str::from_utf8(piece)?);
        while let Some((event, rest)) = self.text.split_once("\n\n") {
            let field = |name: &str| {
                event
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap_or_default()
                    .to_owned()
            };
            let (id, data, rest) = (field("id: "), field("data: "), rest.to_owned());
            ensure!(
                id == (self.count + 1).to_string(),
                "found event {id:?}, expected event {}",
                self.count + 1
            );
            self.count += 1;
            self.data = Some(data);
            self.text = rest;
        }
        Ok(())
    }

    /// The data of the last event, as the module `swap` writes it.
    fn answer(&self) -> anyhow::Result<Answer> {
        let data = self.data.as_deref().unwrap_or_default();
        let (version, instance) = data.split_once(' ').with_context(|| format!("event data {data:?}"))?;
        Ok(Answer {
            version: version.to_owned(),
            instance: instance.parse()?,
            bytes: 0,
        })
    }
}

pub(super) async fn connect_http1(address: SocketAddr) -> anyhow::Result<http1::SendRequest<Body>> {
    let (sender, connection) = http1::handshake(stream(address).await?).await?;
    tokio::spawn(connection);
    Ok(sender)
}

pub(super) async fn connect_http2(address: SocketAddr) -> anyhow::Result<http2::SendRequest<Body>> {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), stream(address).await?).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn stream(address: SocketAddr) -> anyhow::Result<TokioIo<TcpStream>> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    Ok(TokioIo::new(stream))
}

pub(super) fn get_request(address: SocketAddr, path: &str) -> anyhow::Result<Request<Body>> {
    Ok(Request::get(format!("http://{address}{path}"))
        .header("host", address.to_string())
        .body(Full::default())?)
}

/// A gRPC request with one message.
pub(super) fn grpc_request(address: SocketAddr, path: &str, message: &[u8]) -> anyhow::Result<Request<Body>> {
    let mut framed = vec![0];
    framed.extend(u32::try_from(message.len())?.to_be_bytes());
    framed.extend(message);
    Ok(Request::post(format!("http://{address}{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(Full::from(framed))?)
}

/// The `grpc-status` of headers or trailers.
pub(super) fn grpc_status(headers: &HeaderMap) -> Option<i32> {
    headers.get("grpc-status")?.to_str().ok()?.parse().ok()
}

async fn collect_grpc(response: Response<Incoming>) -> anyhow::Result<(Bytes, i32)> {
    ensure!(response.status() == StatusCode::OK, "status {}", response.status());
    let of_head = grpc_status(response.headers());
    let collected = response.into_body().collect().await?;
    let of_trailers = collected.trailers().and_then(grpc_status);
    let status = of_trailers.or(of_head).context("the answer has no grpc-status")?;
    Ok((collected.to_bytes(), status))
}

async fn json(response: Response<Incoming>) -> anyhow::Result<Answer> {
    let status = response.status();
    let body = within(async { Ok(response.into_body().collect().await?.to_bytes()) }).await?;
    if status != StatusCode::OK {
        bail!("status {status}: {}", String::from_utf8_lossy(&body));
    }
    serde_json::from_slice(&body).with_context(|| format!("found {}", String::from_utf8_lossy(&body)))
}

async fn within<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(outcome) => outcome,
        Err(_) => bail!("no answer within {PATIENCE:?}"),
    }
}
