//! Two nodes on PostgreSQL and Redis go to the next version of a module one after the other, under load: for a while both versions work on the
//! same tables, and what only the first one uses goes when neither node has it.

use wharf_tests::backends::{Backend, Postgres, Redis};

#[allow(dead_code, unused_imports, reason = "shared with the end-to-end tests")]
#[path = "../upgrade/scene.rs"]
mod scene;

use scene::{ANALYTICS, BILLING, BLOG, Bystanders, Customers, Metrics, Next, Posts, Scene, SlowChange, Traffic, node, put, reload, waits};

fn on_two_nodes(libraries: &[&str], run: impl FnOnce(&Scene)) {
    let (postgres, redis) = (Backend::start(Postgres), Backend::start(Redis));
    let (database, cache) = (postgres.variable("WHARF_TEST_POSTGRES_URL"), redis.variable("WHARF_TEST_REDIS_URL"));
    let key = wharf_tests::scratch("key");
    let file = key.path().join("master.key");
    std::fs::write(&file, format!("{}\n", "5a".repeat(32))).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let start = |name: &str| {
        node(
            libraries,
            &[
                ("WHARF_DATABASE__URL", database.as_str()),
                ("WHARF_CACHE__URL", cache.as_str()),
                ("WHARF_MASTER_KEY_FILE", file.to_str().unwrap()),
                // One installation has one issuer of tokens, whatever node they come from.
                ("WHARF_HTTP__PUBLIC_URL", "http://wharf.test"),
                ("WHARF_NODE__NAME", name),
                // Seven modules on two nodes would open a hundred connections, each with a login that a debug build is slow at.
                ("WHARF_DATABASE__MODULES__CONNECTIONS", "4"),
                ("WHARF_DATABASE__MODULES__ROLES", "set"),
            ],
        )
    };
    run(&Scene::of(vec![start("one"), start("two")]));
}

fn under_load(libraries: &[&str], next: &Next, traffic: &dyn Traffic) {
    on_two_nodes(libraries, |scene| {
        let others = Bystanders::of(scene, next.module);
        scene.upgrade(next, traffic);
        others.went_on(scene);
    });
}

#[test]
fn two_nodes_go_to_the_next_version_of_blog_one_after_the_other() {
    under_load(&["blog", "billing", "analytics", "greeter"], &BLOG, &Posts::default());
}

#[test]
fn two_nodes_go_to_the_next_version_of_billing_one_after_the_other() {
    under_load(
        &["blog_next_module", "billing", "analytics", "greeter"],
        &BILLING,
        &Customers::default(),
    );
}

#[test]
fn two_nodes_go_to_the_next_version_of_analytics_one_after_the_other() {
    let libraries = ["blog_next_module", "billing_next_module", "analytics", "greeter"];
    under_load(&libraries, &ANALYTICS, &Metrics::default());
}

#[test]
fn a_node_waits_for_the_calls_that_another_one_has_not_ended_on_the_version_before() {
    on_two_nodes(&["blog", "billing", "analytics"], |scene| {
        let slow = SlowChange::begin(scene, 1, "Written slowly: on node two");
        for node in &scene.nodes {
            put(node, BLOG.module, BLOG.library);
            reload(node, BLOG.module);
        }
        waits(&scene.nodes[0], &BLOG);
        let path = slow.path.clone();
        assert_eq!(slow.end()["title"], "Written slowly: on node two");
        scene.wait_until_contracted(&BLOG);
        scene.has_halves(0, &path, ("Written slowly", "on node two"));
    });
}
