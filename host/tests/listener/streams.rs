//! Bodies that stream, both ways, and clients that leave in the middle.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::{HeaderMap, Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::AsyncWriteExt;
use wharf_host::http::body::Body;
use wharf_host::http::routes::Mounted;

use crate::rig::*;

struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn counted(counter: &Arc<AtomicUsize>) -> Counted {
    counter.fetch_add(1, Ordering::SeqCst);
    Counted(Arc::clone(counter))
}

fn echo() -> Mounted {
    let endpoint = endpoint(|_, request: Request<Body>, _| async move { Response::new(Body::new(request.into_body())) });
    module("echo", vec![route("POST", "/")], endpoint)
}

/// 100 MiB up and down while at most a few MiB are between: the client stops sending when nobody reads.
#[tokio::test]
async fn a_hundred_mebibytes_pass_in_both_directions_with_backpressure() {
    const CHUNK: usize = 64 * 1024;
    const CHUNKS: usize = 1600;
    for http2 in [false, true] {
        let host = Host::start(vec![echo()]);
        let sent = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&sent);
        let chunks = stream::iter(0..CHUNKS).map(move |_| {
            counter.fetch_add(CHUNK, Ordering::SeqCst);
            Ok(Frame::data(Bytes::from_static(&[7; CHUNK])))
        });
        let mut client = if http2 {
            Client::http2(host.address).await
        } else {
            Client::http1(host.address).await
        };
        let request = Request::builder()
            .method("POST")
            .uri("/echo")
            .body(StreamBody::new(chunks).boxed_unsync())
            .unwrap();
        let mut response = client.send(request).await;
        let (mut received, mut between) = (0, 0);
        while let Some(frame) = soon("a frame", response.body_mut().frame()).await {
            received += frame.unwrap().into_data().unwrap().len();
            between = between.max(sent.load(Ordering::SeqCst) - received);
        }
        assert_eq!(received, CHUNK * CHUNKS);
        // Socket buffers on loopback take several MiB; what the host holds is far less than the body.
        assert!(between < 40 * 1024 * 1024, "{between} bytes were between");
    }
}

#[tokio::test]
async fn events_arrive_one_by_one_and_a_client_that_leaves_ends_the_stream() {
    let alive = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&alive);
    let (say, said) = tokio::sync::broadcast::channel::<&'static str>(8);
    let speaker = say.clone();
    drop(said);
    let events = endpoint(move |_, _, _| {
        let living = counted(&counter);
        let events = tokio_stream::wrappers::ReceiverStream::new({
            let (into, out) = tokio::sync::mpsc::channel(1);
            let mut said = speaker.subscribe();
            tokio::spawn(async move {
                while let Ok(word) = said.recv().await {
                    if into.send(word).await.is_err() {
                        return;
                    }
                }
            });
            out
        });
        let frames = events.map(move |word| {
            let _ = &living;
            Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from(format!("data: {word}\n\n"))))
        });
        async move {
            let mut response = Response::new(Body::new(StreamBody::new(frames)));
            response.headers_mut().insert("content-type", "text/event-stream".parse().unwrap());
            response
        }
    });
    let host = Host::start(vec![module("news", vec![route("GET", "/")], events)]);
    for http2 in [false, true] {
        let mut client = if http2 {
            Client::http2(host.address).await
        } else {
            Client::http1(host.address).await
        };
        let mut response = client.send(Request::builder().uri("/news").body(full("")).unwrap()).await;
        for word in ["one", "two"] {
            say.send(word).unwrap();
            let frame = soon("an event", response.body_mut().frame()).await.unwrap().unwrap();
            assert_eq!(frame.into_data().unwrap(), format!("data: {word}\n\n"));
        }
        assert_eq!(alive.load(Ordering::SeqCst), 1);
        drop((response, client));
        until("the stream is dropped", || (alive.load(Ordering::SeqCst) == 0).then_some(())).await;
    }
    let seen = host
        .sees("the call is recorded", |seen| seen.module.as_deref() == Some("news"))
        .await;
    assert!(!seen.complete);
}

#[tokio::test]
async fn a_client_that_hangs_up_drops_the_waiting_handler() {
    let alive = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&alive);
    let waiting = endpoint(move |_, _, _| {
        let living = counted(&counter);
        async move {
            let _living = living;
            std::future::pending().await
        }
    });
    let host = Host::start(vec![module("wait", vec![route("GET", "/")], waiting)]);
    let mut stream = tokio::net::TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"GET /wait HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    until("the handler runs", || (alive.load(Ordering::SeqCst) == 1).then_some(())).await;
    drop(stream);
    until("the handler is dropped", || (alive.load(Ordering::SeqCst) == 0).then_some(())).await;
    assert_eq!(host.sees("the call is recorded", |_| true).await.status, 499);

    let mut client = Client::http2(host.address).await;
    let call = tokio::spawn(async move {
        client
            .try_send(Request::builder().uri("/wait").body(full("")).unwrap())
            .await
            .map(|_| ())
    });
    until("the handler runs", || (alive.load(Ordering::SeqCst) == 1).then_some(())).await;
    call.abort();
    until("the handler is dropped", || (alive.load(Ordering::SeqCst) == 0).then_some(())).await;
}

#[tokio::test]
async fn trailers_pass_both_ways_on_http_2() {
    let endpoint = endpoint(|_, request: Request<Body>, _| async move {
        let collected = request.into_body().collect().await.unwrap();
        let trailers = collected.trailers().cloned().unwrap_or_default();
        Response::new(Body::new(StreamBody::new(stream::iter([
            Ok::<_, std::convert::Infallible>(Frame::data(collected.to_bytes())),
            Ok(Frame::trailers(trailers)),
        ]))))
    });
    let host = Host::start(vec![module("echo", vec![route("POST", "/")], endpoint)]);
    let mut trailers = HeaderMap::new();
    trailers.insert("x-sum", "42".parse().unwrap());
    let body = StreamBody::new(stream::iter([
        Ok(Frame::data(Bytes::from_static(b"hi"))),
        Ok(Frame::trailers(trailers)),
    ]))
    .boxed_unsync();
    let request = Request::builder().method("POST").uri("/echo").body(body).unwrap();
    let collected = Client::http2(host.address)
        .await
        .send(request)
        .await
        .into_body()
        .collect()
        .await
        .unwrap();
    assert_eq!(collected.trailers().unwrap()["x-sum"], "42");
    assert_eq!(collected.to_bytes(), "hi");
}

#[tokio::test]
async fn a_body_that_fails_half_way_resets_the_answer_and_leaves_the_host_alive() {
    let endpoint = endpoint(|_, _, _| async {
        Response::new(Body::new(StreamBody::new(stream::iter([
            Ok(Frame::data(Bytes::from_static(b"half"))),
            Err("broken"),
        ]))))
    });
    let host = Host::start(vec![module("half", vec![route("GET", "/")], endpoint)]);
    for http2 in [false, true] {
        let mut client = if http2 {
            Client::http2(host.address).await
        } else {
            Client::http1(host.address).await
        };
        let outcome = client.try_send(Request::builder().uri("/half").body(full("")).unwrap()).await;
        if let Ok(response) = outcome {
            assert!(soon("the end", response.into_body().collect()).await.is_err());
        }
    }
    assert!(!host.sees("the call is recorded", |_| true).await.complete);
}
