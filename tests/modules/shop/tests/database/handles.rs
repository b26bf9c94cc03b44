//! Nothing stays open, however a call or an instance ends.

use std::time::Duration;

use http::Request;
use wharf_host::modules::control::Control as _;
use wharf_testing::{Body, TestHost};

use crate::rig::{self, is_free, post, until};

/// The writer is free again: somebody else can write.
async fn somebody_else_writes(host: &TestHost) {
    let answer = tokio::time::timeout(Duration::from_secs(5), host.request(post("/shop/customers/else"))).await;
    assert_eq!(answer.unwrap().text(), "added");
    assert_eq!(host.get("/shop/count").await.text(), "1", "what was held was not rolled back");
}

#[tokio::test]
async fn a_client_that_hangs_up_leaves_nothing_open() {
    for host in rig::hosts().await {
        let space = rig::space(&host).await;
        let mut call = Box::pin(host.open(post("/shop/hold/wait")));
        tokio::select! {
            _ = &mut call => panic!("it answered"),
            () = until(&space, "it opens", |usage| usage.transactions == 2 && usage.cursors == 1) => {}
        }
        drop(call);
        until(&space, "it was left open", is_free).await;
        somebody_else_writes(&host).await;
    }
}

#[tokio::test]
async fn a_panic_leaves_nothing_open() {
    for host in rig::hosts().await {
        assert_eq!(host.request(post("/shop/hold/panic")).await.status, 500);
        until(&rig::space(&host).await, "it was left open", is_free).await;
        somebody_else_writes(&host).await;
    }
}

#[tokio::test]
async fn an_answer_leaves_nothing_open_even_if_the_module_lost_it() {
    for host in rig::hosts().await {
        assert_eq!(host.request(post("/shop/hold/answer")).await.text(), "answered");
        until(&rig::space(&host).await, "it was left open", is_free).await;
        somebody_else_writes(&host).await;
    }
}

#[tokio::test]
async fn a_deadline_leaves_nothing_open() {
    let host = rig::linked().await;
    let request = Request::builder()
        .method("POST")
        .uri("/shop/hold/wait")
        .header("request-timeout", "1")
        .header("grpc-timeout", "300m");
    let call = host.request(request.body(Body::empty()).unwrap());
    let answer = tokio::time::timeout(Duration::from_millis(500), call).await;
    // Without a named deadline the client is the one who gives up.
    assert!(answer.is_err() || answer.unwrap().status.is_server_error());
    until(&rig::space(&host).await, "it was left open", is_free).await;
    somebody_else_writes(&host).await;
}

#[tokio::test]
async fn a_transaction_kept_beyond_its_call_is_gone() {
    for host in rig::hosts().await {
        assert_eq!(host.request(post("/shop/stash")).await.text(), "stashed");
        until(&rig::space(&host).await, "it was left open", is_free).await;
        assert_eq!(host.request(post("/shop/stash/use")).await.text(), "Some(Gone)");
    }
}

#[tokio::test]
async fn an_instance_that_is_stopped_leaves_nothing_open() {
    for host in rig::hosts().await {
        let space = rig::space(&host).await;
        assert_eq!(host.request(post("/shop/task")).await.text(), "started");
        until(&space, "it opens", |usage| usage.transactions == 1).await;
        host.host().disable("shop", true).await.unwrap();
        until(&space, "it was left open", is_free).await;
    }
}

#[tokio::test]
async fn an_instance_that_is_replaced_leaves_nothing_open() {
    let host = TestHost::builder().library(rig::library()).start().await;
    let space = rig::space(&host).await;
    assert_eq!(host.request(post("/shop/task")).await.text(), "started");
    until(&space, "it opens", |usage| usage.transactions == 1).await;
    host.host().reload("shop").await.unwrap();
    until(&space, "it was left open", is_free).await;
    somebody_else_writes(&host).await;
}
