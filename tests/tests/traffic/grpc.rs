//! All four kinds of gRPC method by tonic's own client, in the clear and over TLS.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use wharf_tests::{ServerOptions, TestServer, scratch};

use crate::client::*;
use crate::v1;
use crate::v1::greeter_client::GreeterClient;

/// A channel in the clear.
pub async fn plain(address: std::net::SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).unwrap();
    soon("a connection", endpoint.connect()).await.unwrap()
}

async fn over_tls(server: &TestServer, trusted: CertificateDer<'static>) -> Channel {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let (connector, address) = (TlsConnector::from(Arc::new(config)), server.http());
    let connect = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            connector.connect(name, stream).await.map(TokioIo::new)
        }
    });
    let endpoint = Endpoint::from_static("http://localhost");
    soon("a connection", endpoint.connect_with_connector(connect)).await.unwrap()
}

pub async fn all_four_kinds(channel: Channel) {
    let mut client = GreeterClient::new(channel);
    let hello = client.hello(v1::HelloRequest { name: "Ada".to_owned() }).await.unwrap();
    assert_eq!(hello.into_inner().message, "Hello, Ada!");

    let counting = v1::CountRequest {
        limit: 10_000,
        interval_ms: 0,
    };
    let numbers = client.count(counting).await.unwrap().into_inner();
    let numbers: Vec<u32> = numbers.map(|number| number.unwrap().number).collect().await;
    assert!(numbers.iter().copied().eq(1..=10_000), "found {} numbers", numbers.len());

    let addends = stream::iter((1..=1000).map(|number| v1::SumRequest { number }));
    let sum = client.sum(addends).await.unwrap().into_inner();
    assert_eq!((sum.sum, sum.count), (500_500, 1000));

    // In lock-step: no line is sent before the one before was answered.
    let (lines, said) = tokio::sync::mpsc::channel(1);
    let said = stream::unfold(said, async |mut said| said.recv().await.map(|line| (line, said)));
    let mut answers = client.chat(said).await.unwrap().into_inner();
    for number in 0..100 {
        let line = format!("line {number}");
        lines.send(v1::ChatRequest { line: line.clone() }).await.unwrap();
        let answer = soon("an answer", answers.message()).await.unwrap().unwrap();
        assert_eq!(answer.line, format!("you said: {line}"));
    }
    drop(lines);
    assert!(soon("the end", answers.message()).await.unwrap().is_none());
}

pub async fn failures(channel: Channel) {
    let mut client = GreeterClient::new(channel);
    let nobody = client.hello(v1::HelloRequest::default()).await.unwrap_err();
    assert_eq!(nobody.code(), Code::InvalidArgument, "{nobody}");
    assert!(nobody.message().contains("the name is empty"), "{nobody}");

    let overflow = stream::iter([i64::MAX, 1].map(|number| v1::SumRequest { number }));
    assert_eq!(client.sum(overflow).await.unwrap_err().code(), Code::OutOfRange);

    let refused = client.statistics(v1::StatisticsRequest {}).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");

    let mut slow = Request::new(v1::CountRequest {
        limit: 100,
        interval_ms: 200,
    });
    // Set by hand: tonic's own timer must not be what ends the call.
    slow.metadata_mut().insert("grpc-timeout", "500m".parse().unwrap());
    let mut numbers = client.count(slow).await.unwrap().into_inner();
    let mut seen = 0;
    let status = loop {
        match soon("a number", numbers.message()).await {
            Ok(number) => seen += u32::from(number.is_some()),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::DeadlineExceeded, "{status}");
    assert!((1..=5).contains(&seen), "{seen} numbers in half a second");
}

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_of_methods_and_their_failures_in_the_clear() {
    let server = TestServer::start(ServerOptions {
        modules: &["greeter"],
        ..ServerOptions::default()
    });
    let channel = plain(server.http()).await;
    soon("all calls", all_four_kinds(channel.clone())).await;
    soon("all failures", failures(channel)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_kinds_of_methods_and_their_failures_over_tls() {
    let folder = scratch("certificates");
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (chain, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    fs::write(&chain, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let server = TestServer::start(ServerOptions {
        modules: &["greeter"],
        config: &format!("[http.tls]\ncert = {chain:?}\nkey = {key:?}\n"),
        ready_within: Duration::from_secs(60),
        ..ServerOptions::default()
    });
    let channel = over_tls(&server, made.cert.der().clone()).await;
    soon("all calls", all_four_kinds(channel.clone())).await;
    soon("all failures", failures(channel)).await;
}
