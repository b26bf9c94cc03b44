//! The module in a host without sockets.

use serde_json::{Value, json};
use wharf_testing::TestHost;

async fn host(keep_days: u64) -> TestHost {
    TestHost::builder()
        .module(starter::root())
        .config("starter", json!({ "keep_days": keep_days }))
        .allow("user:ada", "starter.note.write")
        .start()
        .await
}

#[tokio::test]
async fn a_note_is_kept_and_counted_once() {
    let host = host(365).await;
    let added = host.as_user("ada").post("/starter/notes", &json!({ "text": "hello" })).await;
    assert_eq!(added.status, 201, "{}", added.text());
    host.settle_events().await;
    let notes: Value = host.get("/starter/notes").await.json();
    assert_eq!(notes[0]["text"], "hello");
    let authors: Value = host.get("/starter/authors").await.json();
    assert_eq!(authors, json!([{ "author": "user:ada", "notes": 1 }]));
}

#[tokio::test]
async fn only_those_who_may_leave_notes() {
    let host = host(365).await;
    let note = json!({ "text": "hello" });
    assert_eq!(host.post("/starter/notes", &note).await.status, 401);
    assert_eq!(host.as_user("bob").post("/starter/notes", &note).await.status, 403);
    let empty = host.as_user("ada").post("/starter/notes", &json!({ "text": " " })).await;
    assert_eq!(empty.status, 400);
}

#[tokio::test]
async fn the_job_removes_notes_that_are_too_old() {
    for (keep_days, left) in [(365, 1), (0, 0)] {
        let host = host(keep_days).await;
        let added = host.as_user("ada").post("/starter/notes", &json!({ "text": "hello" })).await;
        assert_eq!(added.status, 201);
        host.run_job("starter", "forget").await;
        let notes: Vec<Value> = host.get("/starter/notes").await.json();
        assert_eq!(notes.len(), left, "{keep_days} days");
    }
}
