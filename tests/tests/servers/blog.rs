//! The blog on PostgreSQL and Redis: the same steps as on the embedded default.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use wharf_tests::backends::{Backend, Postgres, Redis};
use wharf_tests::{blog, people};

#[test]
fn posts_are_written_read_found_and_kept_on_postgres_and_redis_too() {
    let (postgres, redis) = (Backend::start(Postgres), Backend::start(Redis));
    let (database, cache) = (postgres.variable("WHARF_TEST_POSTGRES_URL"), redis.variable("WHARF_TEST_REDIS_URL"));
    let key = wharf_tests::scratch("key");
    let file = key.path().join("master.key");
    fs::write(&file, format!("{}\n", "5a".repeat(32))).unwrap();
    // What others can read is no key.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let settings = [
        ("WHARF_DATABASE__URL", database.as_str()),
        ("WHARF_CACHE__URL", cache.as_str()),
        ("WHARF_MASTER_KEY_FILE", file.to_str().unwrap()),
    ];
    blog::drive(&mut people::host(&["blog"], "", &settings));
}
