//! Unary gRPC methods as JSON: the Connect protocol.

use http::Request;
use serde_json::{Value, json};
use wharf_tests::{ServerOptions, TestServer};

use crate::client::{self, Client, full};

async fn post(client: &mut Client, method: &str, message: Value) -> (u16, Value) {
    let request = Request::post(format!("/greeter.v1.Greeter/{method}"))
        .header("content-type", "application/json")
        .body(full(message.to_string()))
        .unwrap();
    let (status, answer) = client::json(client.send(request).await).await;
    (status.as_u16(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn unary_methods_are_reachable_as_json_under_the_same_policy() {
    let server = TestServer::start(ServerOptions {
        modules: &["greeter"],
        ..ServerOptions::default()
    });
    for mut client in Client::both(server.http()).await {
        assert_eq!(
            post(&mut client, "Hello", json!({"name": "Ada"})).await,
            (200, json!({"message": "Hello, Ada!"}))
        );
        let (status, error) = post(&mut client, "Hello", json!({"name": " "})).await;
        assert_eq!((status, &error["code"]), (400, &json!("invalid_argument")), "{error}");
        assert!(error["message"].as_str().unwrap().contains("the name is empty"), "{error}");
        let (status, error) = post(&mut client, "Hello", json!({"nam": "Ada"})).await;
        assert_eq!((status, &error["code"]), (400, &json!("invalid_argument")), "{error}");
        let (status, error) = post(&mut client, "Statistics", json!({})).await;
        assert_eq!((status, &error["code"]), (401, &json!("unauthenticated")), "{error}");
    }
}
