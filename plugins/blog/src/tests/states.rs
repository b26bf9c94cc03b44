//! Publishing, scheduling and taking back.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_sdk::audit::Record;
use wharf_testing::{Caller, TestHost};

use super::{act, builder, code, draft, each, host, published, titled};
use crate::{PostChanged, PostPublished, clock};

/// Waits until somebody's post is published, by running the job again and again.
async fn until_published(host: &TestHost, who: &Caller<'_>, post: &Value) {
    let path = format!("/blog/drafts/{}", post["id"].as_str().unwrap());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        host.run_job("blog", "publish-scheduled").await;
        let now: Value = who.get(&path).await.json();
        if now["state"] == "published" {
            return;
        }
        assert!(Instant::now() < deadline, "still not published: {now}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn states_follow_each_other_as_the_table_says() {
    let host = host().await;
    let ada = host.as_user("ada");
    let mut post = draft(&ada, &titled("States")).await;
    let first_published = {
        let answer = act(&ada, &post, "publish", None).await;
        post = answer.json();
        post["published_at"].clone()
    };
    assert_eq!(code(&act(&ada, &post, "publish", None).await), (409, "wrong-state".to_owned()));
    for (action, state) in [
        ("archive", "archived"),
        ("unpublish", "draft"),
        ("archive", "archived"),
        ("publish", "published"),
    ] {
        let answer = act(&ada, &post, action, None).await;
        assert_eq!(answer.status, 200, "{action}: {}", answer.text());
        post = answer.json();
        assert_eq!(post["state"], state);
        let public = host.get("/blog/posts/states").await.status.as_u16();
        assert_eq!(public, if state == "published" { 200 } else { 404 }, "{state}");
    }
    assert_eq!(post["published_at"], first_published, "it keeps the time of the first");
    let published: Vec<PostPublished> = host.events().data("blog.post.published.v1").await;
    assert_eq!(
        published.iter().map(|event| event.slug.as_str()).collect::<Vec<_>>(),
        ["states", "states"]
    );
    let changed: Vec<PostChanged> = host.events().data("blog.post.changed.v1").await;
    let what: Vec<_> = changed.iter().map(|event| event.what.as_str()).collect();
    assert_eq!(what, ["create", "publish", "archive", "unpublish", "archive", "publish"]);
    let versions: Vec<_> = changed.iter().map(|event| event.version).collect();
    assert_eq!(versions, [1, 2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_who_may_publish_does() {
    let host = builder().allow_on("user:joe", "blog.post.write", "own").start().await;
    let joe = host.as_user("joe");
    let post = draft(&joe, &titled("Mine")).await;
    assert_eq!(act(&joe, &post, "publish", None).await.status, 403);
    assert_eq!(
        act(&host.as_user("ada"), &post, "publish", None).await.status,
        404,
        "ada does not even see it"
    );
    assert_eq!(act(&host.as_user("ed"), &post, "publish", None).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_scheduled_post_is_published_once_whatever_the_number_of_nodes() {
    let one = host().await;
    let two = builder().beside(&one, "two").start().await;
    let ada = one.as_user("ada");
    let mut posts = Vec::new();
    for number in 0..5 {
        let post = draft(&ada, &titled(&format!("Later {number}"))).await;
        let at = clock::text(clock::now() + 1_500);
        let answer = act(&ada, &post, "schedule", Some(&json!({ "at": at }))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let post: Value = answer.json();
        assert_eq!((&post["state"], &post["scheduled_at"]), (&json!("scheduled"), &json!(at)));
        posts.push(post);
    }
    assert_eq!(one.get("/blog/posts/later-0").await.status, 404);
    let (first, last) = (&posts[0], &posts[4]);
    let bob = two.as_user("ada");
    tokio::join!(until_published(&one, &ada, first), until_published(&two, &bob, last));
    until_published(&one, &ada, last).await;
    let published: Vec<PostPublished> = one.events().data("blog.post.published.v1").await;
    let mut slugs: Vec<_> = published.into_iter().map(|event| event.slug).collect();
    slugs.sort();
    assert_eq!(slugs, ["later-0", "later-1", "later-2", "later-3", "later-4"]);
    assert_eq!(each(&two.get("/blog/posts").await.json(), "/slug").len(), 5);
    assert_eq!(two.get("/blog/posts/later-0").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_schedule_is_in_the_future_and_can_be_changed_and_taken_back() {
    let host = host().await;
    let ada = host.as_user("ada");
    let post = draft(&ada, &titled("Later")).await;
    for bad in ["2001-01-01T00:00:00Z", "2999-01-01T00:00:00Z", "tomorrow", ""] {
        let answer = act(&ada, &post, "schedule", Some(&json!({ "at": bad }))).await;
        assert_eq!(code(&answer).0, 422, "{bad}");
    }
    let soon = json!({ "at": clock::text(clock::now() + 3_600_000) });
    let post: Value = act(&ada, &post, "schedule", Some(&soon)).await.json();
    let later = json!({ "at": clock::text(clock::now() + 7_200_000) });
    let post: Value = act(&ada, &post, "schedule", Some(&later)).await.json();
    assert_eq!(post["scheduled_at"], later["at"]);
    host.run_job("blog", "publish-scheduled").await;
    let post: Value = act(&ada, &post, "unpublish", None).await.json();
    assert_eq!((&post["state"], post.get("scheduled_at")), (&json!("draft"), None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_did_what_is_recorded_with_what_changed() {
    let host = host().await;
    let ada = host.as_user("ada");
    let post = published(&ada, &titled("Audited")).await;
    assert_eq!(
        super::put(&ada, &post, &json!({ "title": "Renamed", "body": "canary-body" }))
            .await
            .status,
        200
    );
    let records: Vec<Record> = host.events().data("wharf.audit.recorded.v1").await;
    let actions: Vec<_> = records.iter().map(|record| record.action.as_str()).collect();
    assert_eq!(actions, ["blog.post.create", "blog.post.publish", "blog.post.update"]);
    let object = format!("post/{}", post["id"].as_str().unwrap());
    assert!(records.iter().all(|record| record.object == object), "{records:?}");
    let text = format!("{records:?}");
    assert!(
        text.contains("Renamed") && text.contains("renamed") && !text.contains("canary-body"),
        "{text}"
    );
}
