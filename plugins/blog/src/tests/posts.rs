//! Writing and reading posts.

use axum::http::Method;
use serde_json::{Value, json};

use super::{act, builder, code, draft, each, host, post_once, published, put, request, titled};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_is_drafted_published_and_read_by_everyone() {
    let host = host().await;
    let ada = host.as_user("ada");
    let text = json!({ "title": "Héllo, World", "summary": "In short", "body": "# Hi\n\nSome *text*.<script>x</script>", "tags": ["Rust", "rust "] });
    let post = draft(&ada, &text).await;
    assert_eq!(
        (&post["slug"], &post["state"], &post["version"]),
        (&json!("hello-world"), &json!("draft"), &json!(1))
    );
    assert_eq!(post["tags"], json!(["rust"]));
    assert_eq!(code(&host.get("/blog/posts/hello-world").await), (404, "not-found".to_owned()));

    let answer = act(&ada, &post, "publish", None).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("\"2\"")));
    let answer = host.get("/blog/posts/hello-world").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown: Value = answer.json();
    assert_eq!(
        shown["html"],
        "<h1>Hi</h1>\n<p>Some <em>text</em>.&lt;script&gt;x&lt;/script&gt;</p>\n"
    );
    assert_eq!(
        (&shown["excerpt"], &shown["reading_minutes"]),
        (&json!("Hi Some text.x"), &json!(1))
    );
    assert_eq!(shown["author"], json!({ "id": "user:ada" }), "nobody says what ada is called");
    assert!(shown["published_at"].as_str().unwrap().ends_with('Z'), "{shown}");
    let list: Value = host.get("/blog/posts").await.json();
    assert_eq!(
        (each(&list, "/slug"), list["items"][0].get("body")),
        (vec!["hello-world".to_owned()], None)
    );
    assert_eq!(host.stop().await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_slug_leads_to_the_new_one_and_equal_titles_are_numbered() {
    let host = host().await;
    let (ada, bob) = (host.as_user("ada"), host.as_user("bob"));
    let first = published(&ada, &titled("One")).await;
    let second = published(&bob, &titled("One!")).await;
    assert_eq!((&first["slug"], &second["slug"]), (&json!("one"), &json!("one-2")));

    let renamed: Value = put(&ada, &first, &titled("Two")).await.json();
    assert_eq!(renamed["slug"], "two");
    let answer = host.get("/blog/posts/one").await;
    assert_eq!((answer.status.as_u16(), answer.header("location")), (308, Some("/blog/posts/two")));
    assert_eq!(host.get("/blog/posts/two").await.status, 200);
    // Nobody else gets what led to it, and it gets back what it had.
    assert_eq!(published(&bob, &titled("One")).await["slug"], "one-3");
    let again: Value = put(&ada, &renamed, &titled("One")).await.json();
    assert_eq!(again["slug"], "one");
    assert_eq!(host.get("/blog/posts/two").await.header("location"), Some("/blog/posts/one"));
    // What nobody can have seen is free again.
    let unseen = draft(&ada, &titled("Unseen")).await;
    assert_eq!(put(&ada, &unseen, &titled("Other")).await.status, 200);
    assert_eq!(draft(&bob, &titled("Unseen")).await["slug"], "unseen");
    for odd in ["/blog/posts/ONE", "/blog/posts/..%2f", "/blog/posts/%00", "/blog/posts/one%20"] {
        assert_eq!(host.get(odd).await.status, 404, "{odd}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_the_post_already_is_told_so() {
    let host = host().await;
    let ada = host.as_user("ada");
    let post = published(&ada, &titled("Cached")).await;
    let etag = host.get("/blog/posts/cached").await.header("etag").unwrap().to_owned();
    let ask = |etag: &str| request(Method::GET, "/blog/posts/cached", &[("if-none-match", etag)], None);
    let answer = host.request(ask(&etag)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body.len(), answer.header("etag")),
        (304, 0, Some(&*etag))
    );
    assert_eq!(
        put(&ada, &post, &json!({ "title": "Cached", "body": "Changed." })).await.status,
        200
    );
    let answer = host.request(ask(&etag)).await;
    assert_eq!(answer.status, 200, "what is cached was taken out");
    assert_eq!(answer.json::<Value>()["body"], "Changed.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_says_what_it_is_based_on() {
    let host = host().await;
    let ada = host.as_user("ada");
    let post = draft(&ada, &titled("Versions")).await;
    let path = format!("/blog/drafts/{}", post["id"].as_str().unwrap());
    let text = json!({ "title": "Versions", "body": "new" });
    let write = |fields: &[(&str, &str)]| ada.request(request(Method::PUT, &path, fields, Some(&text)));
    assert_eq!(code(&write(&[]).await), (428, "if-match-required".to_owned()));
    for stale in ["\"7\"", "W/\"1\"", "1"] {
        assert_eq!(
            code(&write(&[("if-match", stale)]).await),
            (412, "stale-version".to_owned()),
            "{stale}"
        );
    }
    let answer = write(&[("if-match", "\"9\", \"1\"")]).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, Some("\"2\"")));
    let same = write(&[("if-match", "*")]).await;
    assert_eq!(same.header("etag"), Some("\"2\""), "the same text is no new version");
    for (method, path) in [
        (Method::DELETE, path.clone()),
        (Method::POST, format!("{path}/publish")),
        (Method::POST, format!("{path}/archive")),
        (Method::POST, format!("{path}/revisions/1/restore")),
    ] {
        let bare = ada.request(request(method.clone(), &path, &[], None)).await;
        assert_eq!(bare.status, 428, "{method} {path}");
        let stale = ada.request(request(method.clone(), &path, &[("if-match", "\"1\"")], None)).await;
        assert_eq!(stale.status, 412, "{method} {path}");
    }
    let gone = ada.request(request(Method::DELETE, &path, &[("if-match", "\"2\"")], None)).await;
    assert_eq!((gone.status.as_u16(), ada.get(&path).await.status.as_u16()), (204, 404));
    assert_eq!(draft(&ada, &titled("Versions")).await["slug"], "versions", "its slug is free again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_who_write_at_the_same_time_one_is_told() {
    let host = host().await;
    let (ada, ed) = (host.as_user("ada"), host.as_user("ed"));
    let mut post = published(&ada, &titled("Race")).await;
    for round in 0..10 {
        let (mine, theirs) = (
            json!({ "title": "Race", "body": format!("a{round}") }),
            json!({ "title": "Race", "body": format!("e{round}") }),
        );
        let (one, other) = tokio::join!(put(&ada, &post, &mine), put(&ed, &post, &theirs));
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412], "{} {}", one.text(), other.text());
        post = if one.status == 200 { one.json() } else { other.json() };
        let shown: Value = host.get("/blog/posts/race").await.json();
        assert_eq!(shown["body"], post["body"]);
    }
    assert_eq!(post["version"], 12);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_sent_twice_makes_one_post() {
    let host = host().await;
    let ada = host.as_user("ada");
    let send = |key: &str, title: &str| {
        let fields = [("idempotency-key", key)];
        ada.request(request(Method::POST, "/blog/posts", &fields, Some(&titled(title))))
    };
    let first = send("k1", "Once").await;
    assert_eq!(first.status, 201, "{}", first.text());
    let location = first.header("location").unwrap().to_owned();
    let again = send("k1", "Once").await;
    assert_eq!((again.status.as_u16(), again.header("idempotency-replayed")), (201, Some("true")));
    assert_eq!((again.header("location"), &again.body), (Some(&*location), &first.body));
    assert_eq!(code(&send("k1", "Other").await).0, 422);
    assert_eq!(each(&ada.get("/blog/drafts").await.json(), "/slug"), ["once"]);
    assert_eq!(ada.get(&location).await.status, 200);
    let bare = ada.post("/blog/posts", &titled("Keyless")).await;
    assert_eq!(code(&bare).0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn drafts_are_seen_by_their_authors_and_by_whoever_may_read_them() {
    let host = builder()
        .allow_on("user:kim", "blog.post.read", "post/*")
        .deny_on("user:kim", "blog.post.read", "own")
        .start()
        .await;
    let (ada, bob, ed, kim) = (host.as_user("ada"), host.as_user("bob"), host.as_user("ed"), host.as_user("kim"));
    let post = draft(&ada, &titled("Secret")).await;
    draft(&bob, &titled("Mine")).await;
    let path = format!("/blog/drafts/{}", post["id"].as_str().unwrap());
    let see = async |who: &wharf_testing::Caller<'_>| {
        let list: Value = who.get("/blog/drafts").await.json();
        let mut slugs = each(&list, "/slug");
        slugs.sort();
        (slugs, who.get(&path).await.status.as_u16())
    };
    let both = || vec!["mine".to_owned(), "secret".to_owned()];
    assert_eq!(see(&ada).await, (vec!["secret".to_owned()], 200));
    assert_eq!(see(&bob).await, (vec!["mine".to_owned()], 404));
    assert_eq!(see(&ed).await, (both(), 200));
    assert_eq!(see(&kim).await, (both(), 200));
    assert_eq!(see(&host.as_user("eve")).await, (vec![], 404));
    assert_eq!(
        (
            host.get("/blog/drafts").await.status.as_u16(),
            host.get(&path).await.status.as_u16()
        ),
        (401, 401)
    );
    // Whoever sees a post and may not change it is told so; for others it is not there.
    let put_as = async |who: &wharf_testing::Caller<'_>| put(who, &post, &titled("Mine now")).await.status.as_u16();
    assert_eq!((put_as(&bob).await, put_as(&kim).await, put_as(&ed).await), (404, 403, 200));
    assert_eq!(post_once(&host.as_user("eve"), "/blog/posts", &titled("No")).await.status, 403);
    let scheduled: Value = ed.get("/blog/drafts?state=scheduled").await.json();
    assert_eq!(each(&scheduled, "/slug"), [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_read_page_by_page_and_filtered() {
    let host = host().await;
    let (ada, bob) = (host.as_user("ada"), host.as_user("bob"));
    for number in 0..5 {
        let who = if number % 2 == 0 { &ada } else { &bob };
        let tags = if number == 3 { json!(["odd one", "all"]) } else { json!(["all"]) };
        published(who, &json!({ "title": format!("Post {number}"), "tags": tags })).await;
    }
    draft(&ada, &json!({ "title": "Draft", "tags": ["all", "hidden"] })).await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page: Value = host.get(&format!("/blog/posts?page_size=2&page_token={token}")).await.json();
        seen.extend(each(&page, "/slug"));
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(seen, ["post-4", "post-3", "post-2", "post-1", "post-0"]);
    let list = async |query: &str| each(&host.get(&format!("/blog/posts?{query}")).await.json(), "/slug");
    assert_eq!(list("tag=ODD%20%20one").await, ["post-3"]);
    assert_eq!(list("author=user:bob").await, ["post-3", "post-1"]);
    assert_eq!(list("author=user:bob&tag=hidden").await, [""; 0]);
    assert_eq!(list("author=%00&tag=%00").await, [""; 0]);
    let tags: Value = host.get("/blog/tags?page_size=1").await.json();
    assert_eq!(tags, json!({ "items": [{ "tag": "all", "posts": 5 }], "next_page_token": "all" }));
    let tags: Value = host.get("/blog/tags?page_size=1&page_token=all").await.json();
    assert_eq!(tags, json!({ "items": [{ "tag": "odd one", "posts": 1 }], "next_page_token": "" }));
    for bad in [
        "page_size=0",
        "page_size=101",
        "page_size=x",
        "nonsense=1",
        "page_size=1&page_size=2",
    ] {
        assert_eq!(code(&host.get(&format!("/blog/posts?{bad}")).await).0, 400, "{bad}");
    }
    for bad in ["posts?page_token=x", "posts?page_token=%00", "tags?page_token=%00"] {
        let answer = code(&host.get(&format!("/blog/{bad}")).await);
        assert_eq!(answer, (422, "bad-page-token".to_owned()), "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_is_a_problem_that_says_why() {
    let host = host().await;
    let ada = host.as_user("ada");
    let send = |kind: &'static str, body: &'static str| {
        let mut bad = request(Method::POST, "/blog/posts", &[("idempotency-key", &crate::clock::id())], None);
        bad.headers_mut().insert("content-type", kind.parse().unwrap());
        *bad.body_mut() = wharf_testing::Body::full(body);
        ada.request(bad)
    };
    assert_eq!(code(&send("application/json", "{").await).0, 400);
    assert_eq!(code(&send("text/plain", "{}").await).0, 415);
    assert_eq!(code(&send("application/json", "{}").await).0, 422);
    assert_eq!(code(&send("application/json", r#"{"title":"x","nonsense":1}"#).await).0, 422);
    for bad in [
        json!({ "title": " " }),
        json!({ "title": "x".repeat(201) }),
        json!({ "title": "a\u{0}b" }),
        json!({ "title": "x", "body": "\u{0}" }),
        json!({ "title": "x", "tags": [""] }),
        json!({ "title": "x", "summary": "s".repeat(501) }),
        json!({ "title": "x", "body": "b".repeat(100_001) }),
    ] {
        assert_eq!(
            code(&post_once(&ada, "/blog/posts", &bad).await),
            (422, "unprocessable".to_owned()),
            "{bad}"
        );
    }
    assert_eq!(code(&ada.get("/blog/drafts/nonsense").await).0, 400);
    let unknown = "/blog/drafts/0197a3c2-0000-7000-8000-000000000001";
    assert_eq!(code(&ada.get(unknown).await).0, 404);
    assert_eq!(code(&ada.get(&format!("{unknown}/revisions/x")).await).0, 400);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_while_the_rules_are_not_known() {
    let host = wharf_testing::TestHost::builder()
        .module(crate::root())
        .without_rules()
        .start()
        .await;
    let ada = host.as_user("ada");
    assert_eq!(post_once(&ada, "/blog/posts", &titled("No")).await.status, 503);
    assert_eq!(ada.get("/blog/drafts").await.status, 503);
    assert_eq!(host.get("/blog/posts").await.status, 200, "what is public needs no rules");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_post_is_taken_and_shown() {
    let host = host().await;
    let body = "word **bold** [link](https://example.org) ".repeat(2_380);
    let post = published(&host.as_user("ada"), &json!({ "title": "Long", "body": body })).await;
    assert_eq!(post["reading_minutes"], 33);
    let shown: Value = host.get("/blog/posts/long").await.json();
    assert_eq!(shown["html"].as_str().unwrap().matches("<strong>").count(), 2_380);
    // What becomes much longer as HTML is taken too.
    published(&host.as_user("ada"), &json!({ "title": "Links", "body": "[](a)".repeat(20_000) })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_feed_is_atom_and_escapes_what_people_write() {
    let host = builder()
        .config("blog", json!({ "public_url": "https://blog.test/", "title": "A & B" }))
        .start()
        .await;
    published(
        &host.as_user("ada"),
        &json!({ "title": "<Tags> & \"quotes\"", "body": "Text", "tags": ["a&b"] }),
    )
    .await;
    let answer = host.get("/blog/feed").await;
    assert_eq!(answer.header("content-type"), Some("application/atom+xml"));
    let xml = answer.text();
    for part in [
        "<title>A &amp; B</title>",
        "<title>&lt;Tags&gt; &amp; &quot;quotes&quot;</title>",
        "<link href=\"https://blog.test/blog/posts/tags-and-quotes\"/>",
        "<category term=\"a&amp;b\"/>",
        "<author><name>user:ada</name></author>",
    ] {
        assert!(xml.contains(part), "{part} is not in {xml}");
    }
    let etag = answer.header("etag").unwrap();
    let again = request(Method::GET, "/blog/feed", &[("if-none-match", etag)], None);
    assert_eq!(host.request(again).await.status, 304);
}
