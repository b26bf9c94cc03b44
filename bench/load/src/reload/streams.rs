//! Streams that live as long as the run.

use std::any::Any;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{bail, ensure};
use http::{Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use prost::Message as _;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::host::Host;
use super::tally::Tally;
use super::wire::{Body, Events, connect_http1, connect_http2, get_request, grpc_request, grpc_status};

/// Streams of each way on the other module.
const OF_EACH: usize = 4;
/// Endless streams on the swapped module.
const ENDLESS: usize = 4;
/// A stream that says nothing for so long hangs: a message is due every few milliseconds.
const SILENCE: Duration = Duration::from_secs(10);

/// Streams at work.
#[derive(Debug)]
pub(super) struct Streams {
    working: JoinSet<u64>,
    stop: watch::Sender<bool>,
    streams: u64,
    cut: Arc<AtomicU64>,
}

/// What came of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) streams: u64,
    pub(super) messages: u64,
    /// Streams that ended because their instance was replaced.
    pub(super) cut: u64,
}

/// `greeter.v1.CountRequest`.
#[derive(Clone, PartialEq, prost::Message)]
struct CountRequest {
    #[prost(uint32, tag = "1")]
    limit: u32,
    #[prost(uint32, tag = "2")]
    interval_ms: u32,
}

/// `greeter.v1.CountResponse`.
#[derive(Clone, PartialEq, prost::Message)]
struct CountResponse {
    #[prost(uint32, tag = "1")]
    number: u32,
}

#[derive(Debug, Clone, Copy)]
enum Way {
    Http1,
    Http2,
    Grpc,
}

/// Streams of the greeter over HTTP/1.1, HTTP/2 and gRPC. None may end or miss a number, whatever happens to `swap`.
pub(super) async fn bystanders(host: &Host, tally: &Arc<Tally>) -> anyhow::Result<Streams> {
    let mut streams = Streams::new();
    for way in [Way::Http1, Way::Http2, Way::Grpc].into_iter().cycle().take(3 * OF_EACH) {
        let open = open(way, host.http()).await?;
        let (tally, stopped) = (Arc::clone(tally), streams.stop.subscribe());
        streams.working.spawn(async move {
            let mut messages = 0;
            if let Err(error) = follow(way, open, stopped, &mut messages).await {
                tally.fail(format!(
                    "a stream of another module ({way:?}) broke after {messages} messages: {error:#}"
                ));
            }
            messages
        });
        streams.streams += 1;
    }
    Ok(streams)
}

/// Endless streams of the swapped module. One that was there before a swap may be cut when its instance has drained, and is
/// then opened again; anything else is a failure.
pub(super) fn of_the_swapped_module(host: &Host, tally: &Arc<Tally>) -> Streams {
    let mut streams = Streams::new();
    for _ in 0..ENDLESS {
        let (tally, stopped, cut, address) = (Arc::clone(tally), streams.stop.subscribe(), Arc::clone(&streams.cut), host.http());
        streams.working.spawn(async move {
            let mut messages = 0;
            while !*stopped.borrow() {
                let swaps = tally.swaps_over();
                let followed = match open_endless(address).await {
                    Ok(open) => follow(Way::Http1, open, stopped.clone(), &mut messages).await,
                    Err(error) => {
                        tally.fail(format!("an endless stream of the swapped module could not be opened: {error:#}"));
                        break;
                    }
                };
                match followed {
                    Ok(()) => {}
                    Err(_) if tally.swaps_begun() > swaps => drop(cut.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => tally.fail(format!("an endless stream of the swapped module ended without a swap: {error:#}")),
                }
            }
            messages
        });
        streams.streams += 1;
    }
    streams
}

impl Streams {
    fn new() -> Self {
        Self {
            working: JoinSet::new(),
            stop: watch::Sender::new(false),
            streams: 0,
            cut: Arc::default(),
        }
    }

    /// Lets go of all streams.
    pub(super) async fn finish(self) -> Outcome {
        let _ = self.stop.send(true);
        Outcome {
            messages: self.working.join_all().await.into_iter().sum(),
            streams: self.streams,
            cut: self.cut.load(Ordering::Relaxed),
        }
    }
}

/// A stream, and what keeps its connection open.
struct Open {
    response: Response<Incoming>,
    _connection: Box<dyn Any + Send>,
}

/// Opens a count that does not end within a run, on a connection of its own.
async fn open(way: Way, address: SocketAddr) -> anyhow::Result<Open> {
    let path = "/greeter/count?limit=1000000&interval_ms=20";
    let count = CountRequest {
        limit: 1_000_000,
        interval_ms: 20,
    };
    match way {
        Way::Http1 => over_http1(address, get_request(address, path)?).await,
        Way::Http2 => over_http2(address, get_request(address, path)?).await,
        Way::Grpc => {
            let request = grpc_request(address, "/greeter.v1.Greeter/Count", &count.encode_to_vec())?;
            over_http2(address, request).await
        }
    }
}

async fn over_http1(address: SocketAddr, request: Request<Body>) -> anyhow::Result<Open> {
    let mut sender = connect_http1(address).await?;
    let response = sender.send_request(request).await?;
    Open::new(response, sender)
}

async fn over_http2(address: SocketAddr, request: Request<Body>) -> anyhow::Result<Open> {
    let mut sender = connect_http2(address).await?;
    let response = sender.send_request(request).await?;
    Open::new(response, sender)
}

impl Open {
    fn new(response: Response<Incoming>, connection: impl Any + Send) -> anyhow::Result<Self> {
        ensure!(response.status() == StatusCode::OK, "status {}", response.status());
        Ok(Self {
            response,
            _connection: Box::new(connection),
        })
    }
}

async fn open_endless(address: SocketAddr) -> anyhow::Result<Open> {
    over_http1(address, get_request(address, "/swap/events?count=1000000000&interval_ms=20")?).await
}

/// Reads a stream until it is told to stop. Every message must be the next one.
async fn follow(way: Way, open: Open, mut stopped: watch::Receiver<bool>, messages: &mut u64) -> anyhow::Result<()> {
    let Open { response, _connection } = open;
    let mut body = response.into_body();
    let (mut events, mut numbers) = (Events::default(), Numbers::default());
    let mut before = 0;
    loop {
        let frame = tokio::select! {
            biased;
            _ = stopped.wait_for(|stop| *stop) => return Ok(()),
            frame = tokio::time::timeout(SILENCE, body.frame()) => frame,
        };
        let Ok(frame) = frame else { bail!("no message within {SILENCE:?}") };
        let Some(frame) = frame else { bail!("it ended") };
        let frame = frame?;
        if let Some(trailers) = frame.trailers_ref() {
            bail!("it ended with grpc-status {:?}", grpc_status(trailers));
        }
        let piece = frame.data_ref().map_or(&[][..], |piece| piece);
        let count = match way {
            Way::Http1 | Way::Http2 => {
                events.take(piece)?;
                events.count
            }
            Way::Grpc => numbers.take(piece)?,
        };
        *messages += count - before;
        before = count;
    }
}

/// Messages of `Count` out of the pieces of a body.
#[derive(Debug, Default)]
struct Numbers {
    bytes: Vec<u8>,
    count: u64,
}

impl Numbers {
    fn take(&mut self, piece: &[u8]) -> anyhow::Result<u64> {
        self.bytes.extend_from_slice(piece);
        while let Some((&[_, a, b, c, d], rest)) = self.bytes.split_first_chunk::<5>() {
            let length = u32::from_be_bytes([a, b, c, d]) as usize;
            let Some((message, rest)) = rest.split_at_checked(length) else {
                break;
            };
            let CountResponse { number } = CountResponse::decode(message)?;
            ensure!(
                u64::from(number) == self.count + 1,
                "found number {number}, expected {}",
                self.count + 1
            );
            self.count += 1;
            self.bytes = rest.to_vec();
        }
        Ok(self.count)
    }
}
