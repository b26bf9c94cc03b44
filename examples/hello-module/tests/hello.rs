//! The module behind a real host, without sockets: a pattern for tests of your own.

use wharf_testing::TestHost;

#[tokio::test]
async fn people_are_greeted_with_the_configured_word() {
    let section = serde_json::json!({ "greeting": "Ahoy" });
    let host = TestHost::builder()
        .module(hello_module::root())
        .config("hello", section)
        .start()
        .await;
    assert_eq!(host.get("/hello/Ada").await.text(), "Ahoy, Ada!\n");
}

#[tokio::test]
async fn nobody_is_not_greeted() {
    let host = TestHost::builder()
        .module(hello_module::root())
        .start()
        .await;
    let answer = host.get("/hello/nobody").await;
    assert_eq!(answer.status, 404);
    assert_eq!(
        answer.json::<serde_json::Value>()["detail"],
        "there is nobody to greet"
    );
}
