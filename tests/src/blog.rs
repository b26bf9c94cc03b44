//! The blog, driven as its authors, readers and operator do: the same steps whatever the host keeps its things in.

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::Answer;
use crate::people::{self, Person};
use crate::process::until;
use crate::server::TestServer;
use crate::shared::Shared;

/// How long work in the background may take on a busy machine.
const SOON: Duration = Duration::from_secs(120);
const JSON: (&str, &str) = ("content-type", "application/json");
const IMAGE: &[u8] = b"GIF89a\x01\x00\x01\x00\x00\x00\x00;and the rest of it";

/// All of it, with a kill in between.
///
/// # Panics
/// When anything is not as it should be.
pub fn drive(server: &mut TestServer) {
    let mut root = people::person(server, "default", "root", &["admin@*"]);
    author_role(server);
    let mut ada = people::person(server, "default", "ada", &["author"]);
    let eve = people::person(server, "default", "eve", &[]);
    people::operate(
        server,
        "wharf.identity.v1.Tenants/Create",
        &json!({ "id": "other", "name": "Other" }),
    );
    let stranger = people::person(server, "other", "stranger", &["admin"]);

    let post = publish(server, &ada, "Crème brûlée", "Sugar & *fire*.");
    assert_eq!(post["slug"], "creme-brulee");
    draft(server, &ada, "Kept to myself", "canary");
    only_ours(server, &ada, &eve, &stranger, &post);
    found(server, "brûlée", 1);
    found(server, "BRULEE fire", 1);
    odd_queries(server);
    found(server, "canary", 0);
    let image = image(server, &root);
    comments(server, &eve, &root);
    scheduled(server, &root, &ada);

    server.kill_and_start_again();
    root.sign_in(server);
    ada.sign_in(server);
    renamed(server, &ada, &post);
    found(server, "fire", 1);
    assert_eq!(server.get(&image).body, String::from_utf8_lossy(IMAGE));
    viewed(server);
    let pruned = server.wharf(&["jobs", "run", "blog", "prune-revisions"]);
    assert_eq!(pruned.code, 0, "{pruned:?}");
    let dead = server.wharf(&["events", "list", "--state", "dead", "--json"]);
    assert_eq!((dead.code, dead.out.trim()), (0, "[]"), "{dead:?}");
}

/// Authors write on two nodes while the broker of events is killed and started again: each publication is told once, and every node
/// shows what was written last.
///
/// # Panics
/// When an event is lost or told twice, or when a node shows a former text.
pub fn across_nodes(shared: &mut Shared) {
    let nodes = [shared.node("one", &["blog"], ""), shared.node("two", &["blog"], "")];
    let [one, two] = &nodes;
    author_role(one);
    let ada = people::person(one, "default", "ada", &["author"]);
    for node in &nodes {
        let known = until(SOON, || (ada.get(node, "/blog/drafts").status == 200).then_some(()));
        assert!(
            known.is_some(),
            "a node does not know ada; it printed:\n{}",
            node.process().output()
        );
        wait_for_rules(node, &ada);
    }
    let mut posts = Vec::new();
    let mut write = |node: &TestServer, title: String| posts.push(publish(node, &ada, &title, "First text"));
    for n in 0..6 {
        write(if n % 2 == 0 { one } else { two }, format!("Before {n}"));
    }
    let meanwhile = shared.without_broker(|n| write(if n % 2 == 0 { one } else { two }, format!("Meanwhile {n}")));
    assert!(meanwhile > 0, "nothing was written while the broker was away");
    for n in 0..6 {
        write(if n % 2 == 0 { one } else { two }, format!("After {n}"));
    }
    for (n, post) in posts.iter().enumerate() {
        let (writer, reader) = if n % 2 == 0 { (one, two) } else { (two, one) };
        let path = format!("/blog/posts/{}", text(post, "slug"));
        assert_eq!(reader.get(&path).status, 200, "{path}");
        let change = json!({ "title": text(post, "title"), "body": "Last text" });
        let answer = act(writer, &ada, "PUT", post, "", &change);
        assert_eq!(answer.status, 200, "{}", answer.body);
        let shown = until(SOON, || reader.get(&path).body.contains("Last text").then_some(()));
        assert!(
            shown.is_some(),
            "{path} is the former one; it printed:\n{}",
            reader.process().output()
        );
    }
    told_once(one, &posts);
    let dead = one.wharf(&["events", "list", "--state", "dead", "--json"]);
    assert_eq!((dead.code, dead.out.trim()), (0, "[]"), "{dead:?}");
    let waiting = || one.wharf(&["events", "list", "--json"]).out.contains("blog.post.changed.v1");
    let handled = until(SOON, || (!waiting()).then_some(()));
    assert!(
        handled.is_some(),
        "changes wait to be handled; wharf printed:\n{}",
        one.process().output()
    );
}

/// Rules hold on every node within a second.
fn wait_for_rules(server: &TestServer, who: &Person) {
    let text = json!({ "title": "Rules", "body": "hold" });
    let may = until(SOON, || (once(server, who, "/blog/posts", &text).status == 201).then_some(()));
    assert!(
        may.is_some(),
        "the rules do not hold; wharf printed:\n{}",
        server.process().output()
    );
}

/// Each publication is an event, and one only.
fn told_once(server: &TestServer, posts: &[Value]) {
    let kind = "blog.post.published.v1";
    let listed = server.wharf(&["events", "list", "--published", "--type", kind, "--limit", "1000", "--json"]);
    let events: Vec<Value> = serde_json::from_str(&listed.out).unwrap_or_else(|error| panic!("{error}: {listed:?}"));
    assert_eq!(events.len(), posts.len(), "{listed:?}");
}

/// Authors write and publish what is their own.
fn author_role(server: &TestServer) {
    people::operate(
        server,
        "wharf.authz.v1.Roles/Create",
        &json!({ "name": "author", "description": "Writes", "tenant": "default" }),
    );
    for permission in ["blog.post.write", "blog.post.publish"] {
        let rule = json!({ "subject": "role:author", "tenant": "default", "permission": permission, "resource": "own" });
        people::operate(server, "wharf.authz.v1.Roles/AddRule", &json!({ "rule": rule }));
    }
}

fn draft(server: &TestServer, who: &Person, title: &str, body: &str) -> Value {
    let text = json!({ "title": title, "body": body, "tags": ["kitchen"] });
    let answer = once(server, who, "/blog/posts", &text);
    assert_eq!(answer.status, 201, "{}\nwharf printed:\n{}", answer.body, server.process().output());
    answer.json()
}

fn publish(server: &TestServer, who: &Person, title: &str, body: &str) -> Value {
    let post = draft(server, who, title, body);
    let answer = act(server, who, "POST", &post, "/publish", &Value::Null);
    assert_eq!(answer.status, 200, "{}\nwharf printed:\n{}", answer.body, server.process().output());
    answer.json()
}

/// POST with a key of its own.
fn once(server: &TestServer, who: &Person, path: &str, body: &Value) -> Answer {
    let text = body.to_string();
    let key = format!("{path} {text}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    who.send(server, "POST", path, &[JSON, ("idempotency-key", &key)], text.as_bytes())
}

/// Something on a draft, on the version it has.
fn act(server: &TestServer, who: &Person, method: &str, post: &Value, action: &str, body: &Value) -> Answer {
    let path = format!("/blog/drafts/{}{action}", text(post, "id"));
    let version = format!("\"{}\"", post["version"]);
    who.send(server, method, &path, &[JSON, ("if-match", &version)], body.to_string().as_bytes())
}

/// Everyone reads what is published, with the name of its author; nobody else reads a draft, and another tenant nothing.
fn only_ours(server: &TestServer, ada: &Person, eve: &Person, stranger: &Person, post: &Value) {
    let shown = server.get("/blog/posts/creme-brulee");
    assert_eq!(shown.status, 200, "{}", shown.body);
    let shown = shown.json();
    assert_eq!(shown["html"], "<p>Sugar &amp; <em>fire</em>.</p>\n");
    assert_eq!(shown["author"], json!({ "id": format!("user:{}", ada.id), "name": "ada" }));
    let count = |answer: &Answer| answer.json()["items"].as_array().map_or(0, Vec::len);
    assert_eq!(
        (count(&ada.get(server, "/blog/drafts")), count(&eve.get(server, "/blog/drafts"))),
        (2, 0)
    );
    for list in ["/blog/posts", "/blog/drafts", "/blog/tags", "/blog/search?q=fire", "/blog/comments"] {
        let answer = stranger.get(server, list);
        assert_eq!((answer.status, count(&answer)), (200, 0), "{list}: {}", answer.body);
    }
    for one in ["/blog/posts/creme-brulee", &format!("/blog/drafts/{}", text(post, "id"))] {
        assert_eq!(stranger.get(server, one).status, 404, "{one}");
    }
    assert_eq!(act(server, eve, "DELETE", post, "", &Value::Null).status, 403);
    assert_eq!(server.get("/blog/drafts").status, 401);
}

fn found(server: &TestServer, query: &str, expected: usize) {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let answer = server.get(&format!("/blog/search?q={encoded}"));
    assert_eq!(
        answer.status,
        200,
        "{query}: {}\nwharf printed:\n{}",
        answer.body,
        server.process().output()
    );
    let items = answer.json()["items"].as_array().map_or(0, Vec::len);
    assert_eq!(items, expected, "{query}: {}", answer.body);
}

/// No text is a syntax error.
fn odd_queries(server: &TestServer) {
    for query in [
        "\"",
        "'",
        "*",
        "(",
        ")",
        "NEAR(a b)",
        "a AND",
        "OR",
        "title:a",
        "{a}:c",
        "-",
        "a*",
        "a:*",
        "&",
        "|",
        "!",
        "a & !",
        "<->",
        "a <-> b",
        "\\",
        "a\\",
        "'; DROP TABLE post; --",
        "\"a",
        "a\"b",
        "日本語",
        "🎉",
        "a\tb\nc",
        "''",
        ":",
        "!!a",
        "$1",
        "?",
        "²",
        "Ⅳ",
        "ﬁ",
        "\u{301}",
        "\u{0}",
        "\u{2}",
        "ß ı",
    ] {
        let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = server.get(&format!("/blog/search?q={encoded}"));
        assert_eq!(
            answer.status,
            200,
            "{query:?}: {}\nwharf printed:\n{}",
            answer.body,
            server.process().output()
        );
    }
}

/// Uploads an image, twice, and reads a part of it.
fn image(server: &TestServer, root: &Person) -> String {
    let upload = || {
        root.send(
            server,
            "POST",
            "/blog/images",
            &[("content-type", "application/octet-stream")],
            IMAGE,
        )
    };
    let first = upload();
    assert_eq!(first.status, 201, "{}\nwharf printed:\n{}", first.body, server.process().output());
    assert_eq!(upload().status, 200);
    let url = text(&first.json(), "url").to_owned();
    let part = server.send("GET", &url, &[("range", "bytes=0-5")], &[]);
    assert_eq!((part.status, part.body.as_str()), (206, "GIF89a"));
    assert!(
        part.has_header("content-type: image/gif") && part.has_header("x-content-type-options: nosniff"),
        "{}",
        part.head
    );
    url
}

/// A comment is everyone's when somebody approved it.
fn comments(server: &TestServer, eve: &Person, root: &Person) {
    let path = "/blog/posts/creme-brulee/comments";
    assert_eq!(once(server, eve, path, &json!({ "body": "Yum" })).status, 403, "eve holds no role");
    let said = once(server, root, path, &json!({ "body": "Yum" }));
    assert_eq!(said.status, 201, "{}", said.body);
    let seen = || server.get(path).json()["items"].as_array().map_or(0, Vec::len);
    assert_eq!(seen(), 0);
    let approve = format!("/blog/comments/{}/approve", text(&said.json(), "id"));
    assert_eq!(root.send(server, "POST", &approve, &[], &[]).status, 200);
    assert_eq!(seen(), 1);
}

/// What is scheduled is published by the job, once.
fn scheduled(server: &TestServer, root: &Person, ada: &Person) {
    let post = draft(server, ada, "In a moment", "Soon.");
    // A moment from now, by the clock of the host: it says when the draft was made.
    let made = text(&post, "created_at");
    let second: u32 = made.get(17..19).and_then(|second| second.parse().ok()).expect("a time has seconds");
    let at = format!("{}:{:02}.999Z", made.get(..16).expect("a time"), (second + 2).min(59));
    let answer = act(server, ada, "POST", &post, "/schedule", &json!({ "at": at }));
    // At the very end of a minute that is the past, and says so.
    assert!(matches!(answer.status, 200 | 422), "{}", answer.body);
    if answer.status == 422 {
        return;
    }
    let shown = until(SOON, || {
        let ran = server.wharf(&["jobs", "run", "blog", "publish-scheduled"]);
        assert_eq!(ran.code, 0, "{ran:?}");
        (server.get("/blog/posts/in-a-moment").status == 200).then_some(())
    });
    assert!(
        shown.is_some(),
        "it was never published; wharf printed:\n{}",
        server.process().output()
    );
    let now = root.get(server, &format!("/blog/drafts/{}", text(&post, "id"))).json();
    assert_eq!((&now["state"], &now["version"]), (&json!("published"), &json!(3)), "{now}");
}

/// Another title is another address, and the former one leads there.
fn renamed(server: &TestServer, ada: &Person, post: &Value) {
    let text = json!({ "title": "Burnt cream", "body": "Sugar & *fire*." });
    let answer = act(server, ada, "PUT", post, "", &text);
    assert_eq!(answer.status, 200, "{}", answer.body);
    let old = server.get("/blog/posts/creme-brulee");
    assert_eq!(old.status, 308);
    assert!(old.has_header("location: /blog/posts/burnt-cream"), "{}", old.head);
    assert_eq!(server.get("/blog/posts/burnt-cream").json()["title"], "Burnt cream");
    assert_eq!(act(server, ada, "PUT", post, "", &text).status, 412);
}

/// Views are told sooner or later.
fn viewed(server: &TestServer) {
    let told = until(SOON, || {
        let listed = server.wharf(&["events", "list", "--published", "--type", "blog.post.viewed.v1", "--json"]);
        listed.out.contains("blog.post.viewed.v1").then_some(())
    });
    assert!(told.is_some(), "no view was told; wharf printed:\n{}", server.process().output());
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}"))
}
