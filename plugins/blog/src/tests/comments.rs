//! Comments and who decides on them.

use axum::http::Method;
use serde_json::{Value, json};
use wharf_testing::{Answer, Caller};

use super::{builder, code, draft, each, host, post_once, published, request, titled};
use crate::CommentAdded;

async fn say(who: &Caller<'_>, slug: &str, text: &str) -> Answer {
    post_once(who, &format!("/blog/posts/{slug}/comments"), &json!({ "body": text })).await
}

async fn decide(who: &Caller<'_>, comment: &Value, action: &str) -> Answer {
    let path = format!("/blog/comments/{}/{action}", comment["id"].as_str().unwrap());
    who.request(request(Method::POST, &path, &[], None)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comment_is_seen_by_others_when_somebody_approved_it() {
    let host = host().await;
    published(&host.as_user("ada"), &titled("Talk")).await;
    let (eve, ed) = (host.as_user("eve"), host.as_user("ed"));
    let answer = say(&eve, "talk", "*Well* said <script>x</script> ![x](y)").await;
    assert_eq!(answer.status, 201, "{}", answer.text());
    let comment: Value = answer.json();
    assert_eq!(
        (&comment["status"], &comment["author"]["id"]),
        (&json!("pending"), &json!("user:eve"))
    );
    assert_eq!(comment["html"], "<p><em>Well</em> said &lt;script&gt;x&lt;/script&gt; x</p>\n");
    let path = "/blog/posts/talk/comments";
    let ids = async |answer: Answer| each(&answer.json(), "/id").len();
    assert_eq!(
        (ids(host.get(path).await).await, ids(eve.get(path).await).await),
        (0, 1),
        "only its author sees it"
    );

    assert_eq!(
        ed.get("/blog/comments?status=pending").await.json::<Value>()["items"][0]["id"],
        comment["id"]
    );
    assert_eq!(eve.get("/blog/comments").await.status, 403);
    assert_eq!(decide(&eve, &comment, "approve").await.status, 403);
    for (action, everyone) in [("approve", 1), ("approve", 1), ("reject", 0), ("approve", 1)] {
        assert_eq!(decide(&ed, &comment, action).await.status, 200, "{action}");
        assert_eq!(ids(host.get(path).await).await, everyone, "{action}");
    }
    let events: Vec<CommentAdded> = host.events().data("blog.comment.added.v1").await;
    assert_eq!(
        (events.len(), events[0].author.as_str(), events[0].status.as_str()),
        (1, "user:eve", "pending")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_are_deleted_by_their_authors_and_by_those_who_decide() {
    let host = builder()
        .config("blog", json!({ "comments": { "moderated": false } }))
        .start()
        .await;
    published(&host.as_user("ada"), &titled("Talk")).await;
    let (eve, bob, ed) = (host.as_user("eve"), host.as_user("bob"), host.as_user("ed"));
    let first: Value = say(&eve, "talk", "one").await.json();
    let second: Value = say(&eve, "talk", "two").await.json();
    assert_eq!(first["status"], "approved");
    let at = |comment: &Value| format!("/blog/comments/{}", comment["id"].as_str().unwrap());
    assert_eq!(bob.delete(&at(&first)).await.status, 403);
    assert_eq!(decide(&ed, &second, "reject").await.status, 200);
    assert_eq!(bob.delete(&at(&second)).await.status, 404, "what bob does not see is not there");
    assert_eq!(
        (
            eve.delete(&at(&first)).await.status.as_u16(),
            ed.delete(&at(&second)).await.status.as_u16()
        ),
        (204, 204)
    );
    assert_eq!(eve.delete(&at(&first)).await.status, 404);
    assert_eq!(each(&host.get("/blog/posts/talk/comments").await.json(), "/id"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_published_posts_are_commented_on_by_those_who_may() {
    let host = builder().deny("user:mallory", "blog.comment.write").start().await;
    let ada = host.as_user("ada");
    draft(&ada, &titled("Draft")).await;
    let post = published(&ada, &titled("Talk")).await;
    assert_eq!(say(&ada, "draft", "x").await.status, 404);
    assert_eq!(say(&ada, "nothing", "x").await.status, 404);
    assert_eq!(say(&ada, "%00", "x").await.status, 404);
    assert_eq!(say(&host.as_user("mallory"), "talk", "x").await.status, 403);
    assert_eq!(code(&say(&ada, "talk", " ").await).0, 422);
    assert_eq!(code(&say(&ada, "talk", &"x".repeat(5_001)).await).0, 422);
    let nobody = request(
        Method::POST,
        "/blog/posts/talk/comments",
        &[("idempotency-key", "k")],
        Some(&json!({ "body": "x" })),
    );
    assert_eq!(host.request(nobody).await.status, 401);
    assert_eq!(host.get("/blog/posts/draft/comments").await.status, 404);
    // The former slug is as good.
    assert_eq!(super::put(&ada, &post, &titled("Speech")).await.status, 200);
    assert_eq!(say(&ada, "talk", "x").await.status, 201);
    assert_eq!(each(&ada.get("/blog/posts/talk/comments").await.json(), "/body"), ["x"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comments_are_read_page_by_page_oldest_first() {
    let host = builder()
        .config("blog", json!({ "comments": { "moderated": false } }))
        .start()
        .await;
    published(&host.as_user("ada"), &titled("Talk")).await;
    for number in 0..5 {
        assert_eq!(say(&host.as_user("eve"), "talk", &format!("c{number}")).await.status, 201);
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page: Value = host
            .get(&format!("/blog/posts/talk/comments?page_size=2&page_token={token}"))
            .await
            .json();
        seen.extend(each(&page, "/body"));
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4"]);
}
