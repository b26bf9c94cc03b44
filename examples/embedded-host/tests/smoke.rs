//! The program's host serves both modules over a socket, and stops.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn both_modules_are_served_and_a_stopped_program_does_not_listen() {
    let folder = tempfile::tempdir().unwrap();
    let running = embedded_host::start(([127, 0, 0, 1], 0).into(), folder.path().join("data"))
        .await
        .unwrap();
    let address = running.address();
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let get = async |path: &str| {
        let response = client.get(format!("http://{address}{path}").parse().unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    };
    assert_eq!(get("/hello/Ada").await, (200, "Hello, Ada!\n".to_owned()));
    assert_eq!(get("/greeter/hello/Ada").await, (200, "{\"message\":\"Hello, Ada!\"}".to_owned()));
    assert_eq!(get("/hello/nobody").await.0, 404);
    assert_eq!(get("/readyz").await.0, 200);
    running.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
