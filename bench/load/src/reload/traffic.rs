//! The mix of short requests on the swapped module: each must be answered, once, and by an instance that is new enough.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::host::Host;
use super::tally::{Answer, Tally};
use super::wire::Client;

/// What a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Http1,
    Http2,
    Grpc,
    Upload,
    Events,
}

/// Times of all requests of one kind.
#[derive(Debug)]
pub(super) struct Times {
    pub(super) kind: Kind,
    pub(super) taken: Vec<Duration>,
}

/// Clients at work.
#[derive(Debug)]
pub(super) struct Traffic(JoinSet<Vec<(Kind, Duration)>>);

impl Kind {
    pub(super) const ALL: [Self; 5] = [Self::Http1, Self::Http2, Self::Grpc, Self::Upload, Self::Events];

    /// Of 100 requests: 40 over HTTP/1.1, 30 over HTTP/2, 28 gRPC, one upload, one stream.
    fn of(number: u64) -> Self {
        match number % 100 {
            0 => Self::Upload,
            50 => Self::Events,
            1..=40 => Self::Http1,
            41..=71 => Self::Http2,
            _ => Self::Grpc,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Http1 => "HTTP/1.1 GET",
            Self::Http2 => "HTTP/2 GET",
            Self::Grpc => "gRPC unary",
            Self::Upload => "1 MiB upload",
            Self::Events => "SSE, 20 events",
        }
    }
}

/// Starts so many clients; each has connections of its own.
pub(super) async fn start(host: &Host, tally: &Arc<Tally>, clients: usize) -> anyhow::Result<Traffic> {
    let mut working = JoinSet::new();
    for _ in 0..clients.max(1) {
        let client = Client::connect(host.http()).await?;
        working.spawn(work(client, Arc::clone(tally)));
    }
    Ok(Traffic(working))
}

impl Traffic {
    /// Waits until all requests have ended.
    pub(super) async fn finish(self) -> Vec<Times> {
        let all: Vec<_> = self.0.join_all().await.into_iter().flatten().collect();
        Kind::ALL
            .into_iter()
            .map(|kind| {
                let mut taken: Vec<_> = all.iter().filter(|(of, _)| *of == kind).map(|(_, time)| *time).collect();
                taken.sort_unstable();
                Times { kind, taken }
            })
            .collect()
    }
}

async fn work(mut client: Client, tally: Arc<Tally>) -> Vec<(Kind, Duration)> {
    let mut times = Vec::new();
    while let Some(start) = tally.begin() {
        let kind = Kind::of(start.number);
        let begun = Instant::now();
        let outcome = ask(&mut client, kind, start.number).await;
        times.push((kind, begun.elapsed()));
        tally.end(start, kind.name(), outcome);
        while client.lost > 0 {
            client.lost -= 1;
            tally.lost_connection("between two requests");
        }
    }
    times
}

async fn ask(client: &mut Client, kind: Kind, number: u64) -> anyhow::Result<Answer> {
    // Of a hundred requests one is an upload: so they take turns.
    let over_http2 = (number / 100).is_multiple_of(2);
    match kind {
        Kind::Http1 => client.get_http1().await,
        Kind::Http2 => client.get_http2().await,
        Kind::Grpc => client.grpc().await,
        Kind::Upload => client.upload(over_http2).await,
        Kind::Events => client.events(over_http2).await,
    }
}
