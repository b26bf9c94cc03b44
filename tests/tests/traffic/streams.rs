//! Bodies of any size, streams that never end, and clients that leave or stall.

use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use serde_json::Value;
use wharf_tests::{ServerOptions, TestServer};

use crate::client::*;

/// How much more private memory a transfer of any size may take.
const GROWTH: u64 = 40 * MIB;
const LARGE: u64 = 100 * MIB;

fn server() -> TestServer {
    TestServer::start(ServerOptions {
        modules: &["greeter", "pipe_module"],
        ..ServerOptions::default()
    })
}

async fn counter(server: &TestServer, name: &str) -> u64 {
    let (_, counters) = Client::one(server.http()).await.get_json("/pipe/counters").await;
    counters[name].as_u64().unwrap()
}

async fn live(server: &TestServer, expected: u64) {
    eventually("live calls", async || counter(server, "live").await, |live| *live == expected).await;
}

/// Runs a transfer and returns how much private memory grew at most while it lasted.
async fn growth<T>(server: &TestServer, transfer: impl Future<Output = T>) -> (T, u64) {
    let before = private_bytes(server);
    let mut most = before;
    tokio::pin!(transfer);
    loop {
        tokio::select! {
            done = &mut transfer => return (done, most.saturating_sub(before)),
            () = tokio::time::sleep(Duration::from_millis(5)) => most = most.max(private_bytes(server)),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_mebibytes_go_up_and_down_in_constant_memory() {
    let server = server();
    for mut client in Client::both(server.http()).await {
        let way = client.name();
        let upload = Request::post("/pipe/sink").body(Made(LARGE).boxed_unsync()).unwrap();
        let ((_, sunk), grown) = growth(&server, async { json(client.send(upload).await).await }).await;
        assert_eq!(sunk["bytes"], LARGE, "{way}: {sunk}");
        assert!(grown < GROWTH, "{way} upload: memory grew by {} MiB", grown / MIB);

        let path = format!("/pipe/source?bytes={LARGE}");
        let (bytes, grown) = growth(&server, async { drain(client.get(&path).await).await }).await;
        assert_eq!(bytes, LARGE, "{way}");
        assert!(grown < GROWTH, "{way} download: memory grew by {} MiB", grown / MIB);

        let echo = Request::post("/pipe/echo").body(Made(LARGE).boxed_unsync()).unwrap();
        let (bytes, grown) = growth(&server, async { drain(client.send(echo).await).await }).await;
        assert_eq!(bytes, LARGE, "{way}");
        assert!(grown < GROWTH, "{way} echo: memory grew by {} MiB", grown / MIB);
    }
    live(&server, 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_hangs_up_ends_the_modules_work() {
    let server = server();
    for (mut client, path) in Client::both(server.http()).await.into_iter().zip(["/pipe/hang", "/pipe/hang"]) {
        let way = client.name();
        let waiting = tokio::spawn(async move { client.get(path).await.status() });
        live(&server, 1).await;
        waiting.abort();
        live(&server, 0).await;
        assert!(waiting.await.unwrap_err().is_cancelled(), "{way}");
    }
    for mut client in Client::both(server.http()).await {
        let mut ticks = client.get("/pipe/ticks").await;
        assert_eq!(ticks.headers()["content-type"], "text/event-stream");
        let event = soon("an event", ticks.body_mut().frame()).await.unwrap().unwrap();
        assert!(event.data_ref().unwrap().starts_with(b"data: "), "{event:?}");
        live(&server, 1).await;
        drop(ticks);
        drop(client);
        live(&server, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_stops_the_module() {
    let server = server();
    for mut client in Client::both(server.http()).await {
        let way = client.name();
        let before = counter(&server, "produced").await;
        let stalled = client.get(&format!("/pipe/source?bytes={}", 10_000 * MIB)).await;
        let mut last = 0;
        let produced = eventually(
            "bytes that the module made for a reader that stalls",
            async || {
                let seen = std::mem::replace(&mut last, counter(&server, "produced").await - before);
                tokio::time::sleep(Duration::from_millis(200)).await;
                (seen, last)
            },
            |(seen, now)| *now > 0 && seen == now,
        )
        .await
        .1;
        assert!(produced < 32 * MIB, "{way}: the module made {} MiB for nobody", produced / MIB);
        live(&server, 1).await;
        drop(stalled);
        drop(client);
        live(&server, 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn trailers_arrive_over_both_protocols() {
    let server = server();
    for mut client in Client::both(server.http()).await {
        let request = Request::get("/pipe/trailers").header("te", "trailers").body(empty()).unwrap();
        let collected = soon("the body", client.send(request).await.into_body().collect()).await.unwrap();
        let trailers = collected.trailers().unwrap_or_else(|| panic!("no trailers over {}", client.name()));
        assert_eq!(trailers["x-pipe-sum"], "20");
        assert_eq!(collected.to_bytes(), "before the trailers\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_sent_events_come_one_by_one() {
    let server = server();
    for mut client in Client::both(server.http()).await {
        let mut events = client.get("/greeter/count?limit=3&interval_ms=300").await;
        let first = soon("the first event", events.body_mut().frame()).await.unwrap().unwrap();
        assert_eq!(first.into_data().unwrap(), "id: 1\ndata: 1\n\n");
        let rest = soon("the other events", events.into_body().collect()).await.unwrap().to_bytes();
        assert_eq!(rest, "id: 2\ndata: 2\n\nid: 3\ndata: 3\n\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_limit_is_refused() {
    let server = TestServer::start(ServerOptions {
        modules: &["pipe_module"],
        config: "[http]\nmax_body_bytes = \"1 MiB\"\n",
        ..ServerOptions::default()
    });
    for mut client in Client::both(server.http()).await {
        let upload = Request::post("/pipe/sink").body(full(vec![b'x'; 2 * MIB as usize])).unwrap();
        let (status, problem): (_, Value) = json(client.send(upload).await).await;
        assert_eq!(status, 413, "{}: {problem}", client.name());
    }
}
