//! Blog, billing and analytics are replaced under their own load, by the same build and by their next version.

use serde_json::json;

#[allow(dead_code, reason = "shared with the tests on servers")]
#[path = "../upgrade/scene.rs"]
mod scene;

use scene::{
    ANALYTICS, BILLING, BLOG, Bystanders, Customers, Metrics, Posts, Scene, SlowChange, Traffic, WatchedPosts, node, put, reload, text,
    waits,
};

fn stage(libraries: &[&str]) -> Scene {
    Scene::of(vec![node(libraries, &[])])
}

#[test]
fn blog_goes_to_its_next_version_under_load_and_every_post_has_both_halves_of_its_title() {
    let scene = stage(&["blog", "billing", "analytics", "greeter"]);
    let others = Bystanders::of(&scene, "blog");
    scene.upgrade(&BLOG, &Posts::default());
    others.went_on(&scene);
}

/// The blog tells both forms of its event: both come to both versions of billing, and each post counts once.
#[test]
fn billing_goes_to_its_next_version_under_load_and_its_ledger_balances() {
    let scene = stage(&["blog_next_module", "billing", "analytics", "greeter"]);
    let (others, watched, customers) = (Bystanders::of(&scene, "billing"), WatchedPosts::of(&scene), Customers::default());
    scene.upgrade(&BILLING, &customers);
    others.went_on(&scene);
    watched.saw(&scene, customers.posts.published());
}

#[test]
fn analytics_goes_to_its_next_version_under_load_and_counts_everything_once() {
    let scene = stage(&["blog_next_module", "billing_next_module", "analytics", "greeter"]);
    let (others, watched, metrics) = (Bystanders::of(&scene, "analytics"), WatchedPosts::of(&scene), Metrics::default());
    scene.upgrade(&ANALYTICS, &metrics);
    others.went_on(&scene);
    watched.saw(&scene, metrics.posts.published());
}

#[test]
fn each_is_reloaded_again_and_again_under_its_own_load_and_no_request_fails() {
    let all: [(&str, &dyn Traffic); 3] = [
        ("blog", &Posts::default()),
        ("billing", &Customers::default()),
        ("analytics", &Metrics::default()),
    ];
    for (module, traffic) in all {
        let scene = stage(&["blog", "billing", "analytics", "greeter"]);
        let others = Bystanders::of(&scene, module);
        scene.reload_again(module, traffic);
        others.went_on(&scene);
    }
}

#[test]
fn a_call_that_the_version_before_has_not_ended_holds_up_what_takes_its_column_away_and_until_then_there_is_a_way_back() {
    let scene = stage(&["blog", "billing", "analytics"]);
    let node = &scene.nodes[0];
    let slow = SlowChange::begin(&scene, 0, "Written slowly: by version 1");
    put(node, BLOG.module, BLOG.library);
    reload(node, BLOG.module);
    waits(node, &BLOG);

    let new = scene.made(0, "/blog/posts", "new", &json!({ "title": "New: by version 1.1", "body": "Text" }));
    let new = format!("/blog/drafts/{}", text(&new, "id"));
    put(node, BLOG.module, BLOG.module);
    reload(node, BLOG.module);
    assert_eq!(node.module("blog")["version"], "1.0.0");
    assert_eq!(text(&scene.get(0, &new), "title"), "New: by version 1.1");
    let old = json!({ "title": "Old: by version 1", "body": "Text" });
    scene.ask(0, "PUT", &new, &[("if-match", "*")], &old);

    put(node, BLOG.module, BLOG.library);
    reload(node, BLOG.module);
    waits(node, &BLOG);
    let path = slow.path.clone();
    let answer = slow.end();
    assert!(
        answer["title"] == "Written slowly: by version 1" && answer["headline"].is_null(),
        "{answer}"
    );
    scene.wait_until_contracted(&BLOG);
    scene.has_halves(0, &path, ("Written slowly", "by version 1"));
    scene.has_halves(0, &new, ("Old", "by version 1"));
}
