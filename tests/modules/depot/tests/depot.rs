//! Blobs and mail through the ABI: linked in, and as a library.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::path::PathBuf;

use http::{Method, Request};
use wharf_testing::{Answer, Body, TestHost};

async fn hosts() -> [TestHost; 2] {
    [
        TestHost::builder().module(depot_module::root()).start().await,
        TestHost::builder().library(library()).start().await,
    ]
}

fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let file = format!("{}depot_module{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = program.parent().unwrap().join(file);
    assert!(path.is_file(), "{} is not there: cargo builds it with this test", path.display());
    path
}

async fn send(host: &TestHost, method: Method, path: &str, body: impl Into<String>) -> Answer {
    let request = Request::builder().method(method).uri(path).body(Body::full(body.into())).unwrap();
    host.request(request).await
}

#[tokio::test]
async fn a_blob_is_streamed_in_and_out_again() {
    for host in hosts().await {
        let content = "0123456789abcdef".repeat(300_000);
        let written = send(&host, Method::PUT, "/depot/blobs/a/large", content.clone()).await;
        assert!(written.text().starts_with("4800000 "), "{}", written.text());
        let read = host.get("/depot/blobs/a/large").await;
        assert_eq!(read.status, 200);
        assert_eq!(read.headers.get("content-type").unwrap(), "text/plain");
        assert_eq!(read.headers.get("content-length").unwrap(), "4800000");
        assert!(read.text() == content, "the content differs");
        assert_eq!(host.get("/depot/part/14/20/a/large").await.text(), "ef0123");
        assert_eq!(host.get("/depot/list").await.text(), "a/large");
        assert_eq!(send(&host, Method::DELETE, "/depot/blobs/a/large", "").await.status, 200);
        assert_eq!(host.get("/depot/blobs/a/large").await.status, 404);
    }
}

#[tokio::test]
async fn a_condition_that_does_not_hold_is_a_conflict() {
    for host in hosts().await {
        assert_eq!(send(&host, Method::PUT, "/depot/first/one", "1").await.status, 200);
        let again = send(&host, Method::PUT, "/depot/first/one", "2").await;
        assert_eq!((again.status.as_u16(), again.text()), (409, "conflict".to_owned()));
        assert_eq!(host.get("/depot/blobs/one").await.text(), "1");
        let wrong = send(&host, Method::PUT, "/depot/first/..%2Fone", "3").await;
        assert_eq!(wrong.text(), "invalid");
    }
}

#[tokio::test]
async fn anybody_reads_at_a_signed_address() {
    for host in hosts().await {
        assert_eq!(send(&host, Method::PUT, "/depot/blobs/a/b", "for all").await.status, 200);
        let address = host.get("/depot/sign/a/b").await.text();
        let path = address.strip_prefix("http://127.0.0.1:8080").unwrap();
        assert_eq!(host.get(path).await.text(), "for all");
        assert_eq!(host.get(&path.replace("a/b", "a/c")).await.status, 403);
    }
}

#[tokio::test]
async fn a_mail_is_filled_and_sent() {
    for host in hosts().await {
        let id = send(&host, Method::POST, "/depot/mail/alone/ada@example.org/%3CAda%3E", "")
            .await
            .text();
        let mail = host.mail_to("ada@example.org").await;
        assert_eq!(
            (mail.subject.as_str(), mail.text.trim()),
            ("Hello <Ada>", "Hello <Ada>, this is the depot.")
        );
        assert_eq!(mail.html.unwrap().trim(), "<p>Hello <b>&lt;Ada&gt;</b>, this is the depot.</p>");
        assert_eq!(mail.message_id, format!("{id}@localhost"));
        assert_eq!(
            send(&host, Method::POST, "/depot/mail/german/eva@example.org/Eva", "").await.status,
            200
        );
        let mail = host.mail_to("eva@example.org").await;
        assert_eq!(
            (mail.subject.as_str(), mail.reply_to.as_deref()),
            ("Hallo Eva", Some("help@example.org"))
        );
    }
}

#[tokio::test]
async fn a_mail_goes_with_its_transaction() {
    for host in hosts().await {
        assert_eq!(
            send(&host, Method::POST, "/depot/mail/undone/no@example.org/No", "").await.status,
            200
        );
        assert_eq!(
            send(&host, Method::POST, "/depot/mail/kept/yes@example.org/Yes", "").await.status,
            200
        );
        host.mail_to("yes@example.org").await;
        assert_eq!(host.mails().len(), 1, "{:?}", host.mails());
    }
}

#[tokio::test]
async fn an_unknown_template_and_a_wrong_address_are_refused() {
    for host in hosts().await {
        for path in [
            "/depot/mail/goodbye/ada@example.org/Ada",
            "/depot/mail/alone/ada/Ada",
            "/depot/mail/alone/a@example.org%0d%0aBcc:%20b@example.org/Ada",
        ] {
            assert_eq!(send(&host, Method::POST, path, "").await.status, 500, "{path}");
        }
        assert!(host.mails().is_empty());
    }
}
