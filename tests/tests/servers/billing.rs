//! Billing on PostgreSQL and Redis: the same steps as on the embedded default, and two nodes at once.

use wharf_tests::backends::{Backend, Postgres, Redis};
use wharf_tests::billing;

/// Runs with a database, a cache and a master key that nodes share.
fn with_servers(run: impl FnOnce(&[(&str, &str)])) {
    let (postgres, redis) = (Backend::start(Postgres), Backend::start(Redis));
    let (database, cache) = (postgres.variable("WHARF_TEST_POSTGRES_URL"), redis.variable("WHARF_TEST_REDIS_URL"));
    let key = wharf_tests::scratch("key");
    let file = key.path().join("master.key");
    std::fs::write(&file, format!("{}\n", "5a".repeat(32))).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    run(&[
        ("WHARF_DATABASE__URL", database.as_str()),
        ("WHARF_CACHE__URL", cache.as_str()),
        ("WHARF_MASTER_KEY_FILE", file.to_str().unwrap()),
        // One installation has one issuer of tokens, whatever node they come from.
        ("WHARF_HTTP__PUBLIC_URL", "http://wharf.test"),
    ]);
}

#[test]
fn customers_are_billed_once_and_pay_once_on_postgres_and_redis_too() {
    with_servers(|settings| {
        let mut server = billing::host(settings);
        billing::drive(&mut server);
        billing::tampering_is_found(&server, |statement| {
            let database = settings[0].1;
            let ran = std::process::Command::new("psql")
                .args([database, "-At", "-c", statement])
                .output()
                .unwrap();
            let said = [ran.stdout, ran.stderr].concat();
            (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
        });
    });
}

#[test]
fn two_nodes_bill_each_period_once_while_one_is_killed() {
    with_servers(|settings| {
        let mut one = billing::another_node("one", settings);
        let two = billing::another_node("two", settings);
        billing::two_nodes(&mut one, &two);
    });
}
