//! Two hosts that share PostgreSQL and Redis.

use std::time::{Duration, Instant};

use wharf_tests::backends::Backend;
use wharf_tests::{ServerOptions, TestServer};

fn node(name: &str, environment: &[(&str, &str)]) -> TestServer {
    let own = [("WHARF_NODE__NAME", name)];
    TestServer::start(ServerOptions {
        modules: &["hello_module", "hoard"],
        environment: &[&own[..], environment].concat(),
        ..ServerOptions::default()
    })
}

#[test]
fn two_hosts_share_decisions_cache_and_secrets() {
    let servers = Backend::start_all(&["postgres", "redis"]).unwrap();
    let variables: Vec<_> = servers.iter().flat_map(Backend::variables).collect();
    let of = |name: &str| {
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value.clone())
            .unwrap()
    };
    let (database, cache) = (of("WHARF_TEST_POSTGRES_URL"), of("WHARF_TEST_REDIS_URL"));
    let key = wharf_tests::scratch("key");
    let file = key.path().join("master.key");
    std::fs::write(&file, format!("{}\n", "5a".repeat(32))).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let environment = [
        ("WHARF_DATABASE__URL", database.as_str()),
        ("WHARF_CACHE__URL", cache.as_str()),
        ("WHARF_CACHE__NEAR", "1 MiB"),
        ("WHARF_MASTER_KEY_FILE", file.to_str().unwrap()),
    ];
    let (one, two) = (node("one", &environment), node("two", &environment));

    assert_eq!(
        one.send("PUT", "/hoard/values/a", &[("content-type", "application/json")], b"7")
            .status,
        200
    );
    assert_eq!(two.get("/hoard/values/a").body, "7");
    let first = one.send("POST", "/hoard/lock/l", &[], b"").body;
    assert_eq!(
        two.send("POST", "/hoard/lock/l", &[], b"").body,
        "null",
        "both hold the lock {first}"
    );

    let began = Instant::now();
    assert_eq!(one.wharf(&["modules", "disable", "hello"]).code, 0);
    while two.get("/hello/Ada").status != 404 {
        assert!(began.elapsed() < Duration::from_secs(10), "the other node did not follow");
    }

    use std::io::Write as _;
    let mut set = one
        .command(&["secrets", "set", "hoard", "stripe-key"])
        .envs(environment)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    set.stdin.take().unwrap().write_all(b"shared").unwrap();
    assert!(set.wait().unwrap().success());
    for node in [&one, &two] {
        assert!(
            node.get("/hoard/secret/stripe-key").body.contains("\"length\":6"),
            "{}",
            node.get("/hoard/secret/stripe-key").body
        );
    }
}
