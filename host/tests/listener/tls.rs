//! TLS: both protocols by ALPN, reload of the certificate, unusable files.

use std::path::Path;
use std::sync::Arc;

use http::Request;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use wharf_host::http::gateway::{Gateway, Limits};
use wharf_host::http::routes::{RouteTable, Routes};
use wharf_host::http::server::{Listener, Server, Tls, TlsError};

use crate::rig::*;

fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn load(folder: &Path) -> Result<Tls, TlsError> {
    Tls::load(folder.join("chain.pem"), folder.join("key.pem"))
}

fn start(tls: &Arc<Tls>) -> Server {
    log();
    let routes = Arc::new(Routes::new());
    routes.swap(RouteTable::build(vec![module("greeter", vec![route("GET", "/")], mirror("greeter"))]).unwrap());
    let gateway = Arc::new(Gateway::new(routes).with_limits(Limits::default()));
    Server::start(
        Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap(),
        gateway,
        Some(Arc::clone(tls)),
    )
}

async fn connect(server: &Server, trusted: &CertificateDer<'static>, alpn: &[&str]) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(server.address()).await.unwrap();
    soon(
        "a handshake",
        TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream),
    )
    .await
}

#[tokio::test]
async fn alpn_chooses_between_http_1_and_http_2() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = write_certificate(folder.path());
    let server = start(&Arc::new(load(folder.path()).unwrap()));
    for (offered, chosen) in [(&["h2", "http/1.1"][..], "h2"), (&["http/1.1"], "http/1.1")] {
        let stream = connect(&server, &certificate, offered).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(chosen.as_bytes()));
        let io = TokioIo::new(stream);
        let mut client = if chosen == "h2" {
            let (client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), io).await.unwrap();
            tokio::spawn(connection);
            Client::Two(client)
        } else {
            let (client, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            tokio::spawn(connection);
            Client::One(client)
        };
        let response = client
            .send(
                Request::builder()
                    .uri("/greeter")
                    .header("host", "localhost")
                    .body(full(""))
                    .unwrap(),
            )
            .await;
        assert_eq!(response.status(), 200, "{chosen}");
    }
}

#[tokio::test]
async fn a_new_certificate_is_used_after_a_reload_and_a_broken_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let first = write_certificate(folder.path());
    let tls = Arc::new(load(folder.path()).unwrap());
    let server = start(&tls);
    let second = write_certificate(folder.path());
    assert!(connect(&server, &first, &[]).await.is_ok());
    assert!(connect(&server, &second, &[]).await.is_err());
    tls.reload().unwrap();
    assert!(connect(&server, &first, &[]).await.is_err());
    assert!(connect(&server, &second, &[]).await.is_ok());
    std::fs::write(folder.path().join("chain.pem"), "rubbish").unwrap();
    assert!(tls.reload().is_err());
    assert!(connect(&server, &second, &[]).await.is_ok());
}

#[test]
fn unusable_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = load(folder.path()).unwrap_err().to_string();
    assert!(missing.contains("chain.pem"), "{missing}");
    write_certificate(folder.path());
    let key = std::fs::read(folder.path().join("key.pem")).unwrap();
    write_certificate(folder.path());
    std::fs::write(folder.path().join("key.pem"), key).unwrap();
    let mismatch = load(folder.path()).unwrap_err();
    assert!(matches!(mismatch, TlsError::Mismatch { .. }), "{mismatch}");
    std::fs::write(folder.path().join("chain.pem"), "").unwrap();
    assert!(matches!(load(folder.path()).unwrap_err(), TlsError::Empty { .. }));
}
