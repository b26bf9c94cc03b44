//! What is too much and what is too slow.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use wharf_host::http::body::Body;
use wharf_host::http::gateway::Limits;
use wharf_host::http::inbound::Pace;
use wharf_host::http::routes::Mounted;

use crate::rig::*;

/// Reads the body to its end and says how long it was, or answers 418 when that fails.
fn swallowing() -> Vec<Mounted> {
    let endpoint = endpoint(|_, request: Request<Body>, _| async move {
        match request.into_body().collect().await {
            Ok(body) => text(body.to_bytes().len().to_string()),
            Err(_) => {
                let mut response = text("broken");
                *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
                response
            }
        }
    });
    vec![module("eat", vec![route("POST", "/"), route("GET", "/")], endpoint)]
}

fn streamed(chunks: Vec<&'static str>, then_hang: bool) -> ClientBody {
    let chunks = stream::iter(chunks).map(|chunk| Ok(Frame::data(Bytes::from_static(chunk.as_bytes()))));
    match then_hang {
        true => StreamBody::new(chunks.chain(stream::pending())).boxed_unsync(),
        false => StreamBody::new(chunks).boxed_unsync(),
    }
}

fn post(body: ClientBody) -> Request<ClientBody> {
    Request::builder().method("POST").uri("/eat").body(body).unwrap()
}

#[tokio::test]
async fn a_body_over_the_limit_is_413_with_and_without_a_length() {
    let host = Host::limited(
        swallowing(),
        Limits {
            body_bytes: 10,
            ..Limits::default()
        },
    );
    for http2 in [false, true] {
        let connect = async || {
            if http2 {
                Client::http2(host.address).await
            } else {
                Client::http1(host.address).await
            }
        };
        assert_eq!(connect().await.send(post(full("0123456789"))).await.status(), 200);
        assert_eq!(connect().await.send(post(full("0123456789x"))).await.status(), 413);
        assert_eq!(
            connect().await.send(post(streamed(vec!["01234", "56789"], false))).await.status(),
            200
        );
        assert_eq!(
            connect()
                .await
                .send(post(streamed(vec!["01234", "56789", "x"], false)))
                .await
                .status(),
            413
        );
    }
}

#[tokio::test]
async fn a_body_that_trickles_is_408() {
    let pace = Some(Pace {
        bytes: 100,
        window: Duration::from_millis(100),
    });
    let host = Host::limited(
        swallowing(),
        Limits {
            body_pace: pace,
            ..Limits::default()
        },
    );
    let (status, headers, _) = whole(Client::http1(host.address).await.send(post(streamed(vec!["slow"], true))).await).await;
    assert_eq!(status, 408);
    assert_eq!(headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn too_many_or_too_large_header_fields_are_431() {
    let host = Host::limited(
        swallowing(),
        Limits {
            header_bytes: 8192,
            header_count: 20,
            ..Limits::default()
        },
    );
    for (count, length, status) in [(5, 10, 200), (30, 10, 431), (1, 20_000, 431)] {
        let mut head = "GET /eat HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
        let mut two = Request::builder().uri("/eat");
        for number in 0..count {
            let (name, value) = (format!("x-{number}"), "v".repeat(length));
            head.push_str(&format!("{name}: {value}\r\n"));
            two = two.header(name, value);
        }
        head.push_str("\r\n");
        let answer = raw(host.address, head.as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{count} x {length}: {answer}");
        let answered = Client::http2(host.address).await.send(two.body(full("")).unwrap()).await.status();
        assert_eq!(answered, status, "HTTP/2, {count} x {length}");
    }
}

#[tokio::test]
async fn clients_that_do_not_finish_a_head_are_cut_off() {
    let host = Host::limited(
        swallowing(),
        Limits {
            header_timeout: Duration::from_millis(100),
            ..Limits::default()
        },
    );
    for start in ["", "P", "PRI * HTTP/2.0\r\n", "GET /eat HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        // `raw` returns only once the server has closed the connection.
        let answer = raw(host.address, start.as_bytes()).await;
        assert!(!answer.contains("200"), "{start:?}: {answer}");
    }
    until("all connections are gone", || (host.server.connections() == 0).then_some(())).await;
}

#[tokio::test]
async fn an_http_2_connection_is_idle_only_without_a_call_under_way() {
    let gate = Arc::new(tokio::sync::Notify::new());
    let opened = Arc::clone(&gate);
    let waiting = endpoint(move |_, _: Request<Body>, _| {
        let gate = Arc::clone(&opened);
        async move {
            gate.notified().await;
            text("done")
        }
    });
    let limits = Limits {
        idle_timeout: Duration::from_millis(50),
        ..Limits::default()
    };
    let host = Host::limited(vec![module("wait", vec![route("GET", "/")], waiting)], limits);
    let Client::Two(connection) = Client::http2(host.address).await else {
        unreachable!()
    };
    let call = || {
        let mut client = Client::Two(connection.clone());
        tokio::spawn(async move { client.get("/wait").await.0 })
    };
    let first = call();
    until("the call is under way", || (host.gateway.in_flight() == 1).then_some(())).await;
    // Several times the idle timeout passes while the call is under way; the connection must take another one.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let second = call();
    until("both calls are under way", || (host.gateway.in_flight() == 2).then_some(())).await;
    for left in [1, 0] {
        gate.notify_one();
        until("a call has ended", || (host.gateway.in_flight() == left).then_some(())).await;
    }
    for call in [first, second] {
        assert_eq!(soon("the answer", call).await.unwrap(), 200);
    }
    until("the idle connection is gone", || (host.server.connections() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let endless = endpoint(|_, _, _| async {
        let chunks = stream::repeat_with(|| Ok::<_, std::convert::Infallible>(Frame::data(Bytes::from_static(&[0; 65_536]))));
        http::Response::new(Body::new(StreamBody::new(chunks)))
    });
    let limits = Limits {
        write_timeout: Duration::from_millis(100),
        ..Limits::default()
    };
    let host = Host::limited(vec![module("flood", vec![route("GET", "/")], endless)], limits);
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream.write_all(b"GET /flood HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let seen = host.sees("the call ends", |seen| seen.module.is_some()).await;
    assert!(!seen.complete);
    drop(stream);
}

#[tokio::test]
async fn a_module_that_does_not_answer_is_503_and_its_work_is_dropped() {
    struct Guard(Arc<AtomicUsize>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&dropped);
    let hanging = endpoint(move |_, request: Request<Body>, _| {
        let guard = Guard(Arc::clone(&counter));
        async move {
            let _guard = guard;
            let _ = request.into_body().collect().await;
            std::future::pending().await
        }
    });
    let limits = Limits {
        request_timeout: Some(Duration::from_millis(50)),
        ..Limits::default()
    };
    let host = Host::limited(vec![module("hang", vec![route("*", "/")], hanging)], limits);
    let mut client = Client::http1(host.address).await;
    for (method, body) in [("GET", ""), ("POST", "body")] {
        let request = Request::builder().method(method).uri("/hang").body(full(body)).unwrap();
        let (status, headers, _) = whole(client.send(request).await).await;
        assert_eq!(status, 503, "{method}");
        assert!(headers.contains_key("retry-after"));
    }
    assert_eq!(dropped.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn the_time_a_client_takes_to_send_does_not_count_against_the_module() {
    let limits = Limits {
        request_timeout: Some(Duration::from_millis(50)),
        ..Limits::default()
    };
    let host = Host::limited(swallowing(), limits);
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    stream
        .write_all(b"POST /eat HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\nconnection: close\r\n\r\nab")
        .await
        .unwrap();
    // Longer than the request timeout: the module waits for the client all the while.
    tokio::time::sleep(Duration::from_millis(200)).await;
    stream.write_all(b"cd").await.unwrap();
    let mut answer = String::new();
    soon("an answer", stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn connections_over_the_limit_wait_their_turn() {
    let host = Host::limited(
        swallowing(),
        Limits {
            connections: 1,
            ..Limits::default()
        },
    );
    let mut first = Client::http1(host.address).await;
    assert_eq!(first.get("/eat").await.0, 200);
    let address = host.address;
    let second = tokio::spawn(async move { Client::http1(address).await.get("/eat").await.0 });
    assert_eq!(first.get("/eat").await.0, 200);
    assert_eq!(host.server.connections(), 1);
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(soon("the second connection", second).await.unwrap(), 200);
}
