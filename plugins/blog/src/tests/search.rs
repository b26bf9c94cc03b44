//! Full-text search.

use serde_json::{Value, json};
use wharf_testing::TestHost;

use super::{act, code, draft, each, host, published, put};

async fn find(host: &TestHost, query: &str) -> Vec<String> {
    let encoded: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let answer = host.get(&format!("/blog/search?q={encoded}")).await;
    assert_eq!(answer.status, 200, "{query:?}: {}", answer.text());
    each(&answer.json(), "/post/slug")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_comes_first_with_a_snippet_of_where_it_was_found() {
    let host = host().await;
    let ada = host.as_user("ada");
    let filler = "lorem ipsum dolor sit amet ".repeat(40);
    published(
        &ada,
        &json!({ "title": "Cooking", "body": format!("{filler} a ferry <b>left</b> once {filler}") }),
    )
    .await;
    published(
        &ada,
        &json!({ "title": "The ferry", "body": "A ferry, and another ferry to the island." }),
    )
    .await;
    published(&ada, &json!({ "title": "Trains", "body": "No boats here.", "tags": ["ferry"] })).await;
    assert_eq!(find(&host, "ferry").await, ["the-ferry", "trains", "cooking"]);
    assert_eq!(find(&host, "FERRY island").await, ["the-ferry"]);
    assert_eq!(find(&host, "\"another ferry\"").await, ["the-ferry"]);
    assert_eq!(find(&host, "ferry -island").await, ["trains", "cooking"]);
    assert_eq!(find(&host, "isl").await, ["the-ferry"], "the last word may be a beginning");
    let page: Value = host.get("/blog/search?q=ferry%20left").await.json();
    let snippet = page["items"][0]["snippet"].as_str().unwrap();
    assert!(snippet.contains("<mark>ferry</mark>") && !snippet.contains("<b>"), "{snippet}");
    let page: Value = host.get("/blog/search?q=ferry").await.json();
    let snippets = each(&page, "/snippet");
    assert!(snippets[0].contains("<mark>ferry</mark> to the island"), "{snippets:?}");
    assert_eq!(snippets[1], "No boats here.", "only its tag says it");
    let titled: Value = host.get("/blog/search?q=cooking").await.json();
    assert_eq!(each(&titled, "/snippet"), ["<mark>Cooking</mark>"]);
    let scores: Value = host.get("/blog/search?q=ferry").await.json();
    let scores: Vec<f64> = scores["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| hit["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_index_is_what_is_published() {
    let host = host().await;
    let ada = host.as_user("ada");
    let post = draft(&ada, &json!({ "title": "Quokka", "body": "marsupial" })).await;
    assert_eq!(find(&host, "quokka").await, [""; 0], "a draft is not found");
    let post: Value = act(&ada, &post, "publish", None).await.json();
    assert_eq!(find(&host, "quokka").await, ["quokka"]);
    let post: Value = put(&ada, &post, &json!({ "title": "Wombat", "body": "marsupial" })).await.json();
    assert_eq!(
        (find(&host, "quokka").await, find(&host, "wombat").await),
        (vec![], vec!["wombat".to_owned()])
    );
    let post: Value = act(&ada, &post, "archive", None).await.json();
    assert_eq!(find(&host, "wombat").await, [""; 0]);
    let post: Value = act(&ada, &post, "publish", None).await.json();
    assert_eq!(find(&host, "marsupial").await, ["wombat"]);
    let path = format!("/blog/drafts/{}", post["id"].as_str().unwrap());
    let delete = super::request(axum::http::Method::DELETE, &path, &[("if-match", "*")], None);
    assert_eq!(ada.request(delete).await.status, 204);
    assert_eq!(find(&host, "marsupial").await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_is_a_syntax_error() {
    let host = host().await;
    published(
        &host.as_user("ada"),
        &json!({ "title": "Crème brûlée", "body": "R&D at example.com, c++ 'quoted' 100%" }),
    )
    .await;
    for query in [
        "\"",
        "'",
        "*",
        "(",
        ")",
        "NEAR(a b)",
        "a AND",
        "OR",
        "NOT",
        "title:",
        "title:a",
        "{a b}:c",
        "a^2",
        "-",
        "--",
        "-a",
        "a*",
        "+a",
        "a:*",
        "&",
        "|",
        "!",
        "<->",
        "a <-> b",
        "\\",
        "a\\",
        "%",
        "_",
        "\u{0}",
        "\u{2}",
        "'; DROP TABLE post; --",
        "\"a",
        "a\"b",
        "é",
        "日本語",
        "🎉",
        "a\tb\nc",
        "NULL",
        "''",
        ":",
        "!!a",
        "a & !",
        "x'00'",
        "$1",
        "?",
        "?1",
        "@x",
        "#",
        "²",
        "Ⅳ",
        "ﬁ",
        "\u{301}",
        "a\u{301}",
    ] {
        find(&host, query).await;
    }
    let slugs = ["creme-brulee"];
    for query in [
        "brûlée",
        "brulee",
        "CREME",
        "r&d",
        "example.com",
        "c++",
        "quoted",
        "100%",
        "\"R&D at\"",
    ] {
        assert_eq!(find(&host, query).await, slugs, "{query}");
    }
    assert_eq!(code(&host.get(&format!("/blog/search?q={}", "a".repeat(201))).await).0, 400);
    assert_eq!(code(&host.get("/blog/search").await).0, 400);
    assert_eq!(code(&host.get("/blog/search?q=a&page_token=-1").await).0, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hits_are_read_page_by_page() {
    let host = host().await;
    for number in 0..5 {
        published(&host.as_user("ada"), &json!({ "title": format!("Needle {number}") })).await;
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page: Value = host
            .get(&format!("/blog/search?q=needle&page_size=2&page_token={token}"))
            .await
            .json();
        seen.extend(each(&page, "/post/slug"));
        token = page["next_page_token"].as_str().unwrap().to_owned();
        if token.is_empty() {
            break;
        }
    }
    seen.sort();
    assert_eq!(seen, ["needle-0", "needle-1", "needle-2", "needle-3", "needle-4"]);
}
