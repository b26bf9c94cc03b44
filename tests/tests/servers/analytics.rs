//! Analytics on PostgreSQL: the same steps as on the embedded default.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use wharf_tests::backends::{Backend, Postgres};
use wharf_tests::{analytics, people};

#[test]
fn events_of_identity_are_counted_once_on_postgres_too() {
    let postgres = Backend::start(Postgres);
    let url = postgres.variable("WHARF_TEST_POSTGRES_URL");
    let key = wharf_tests::scratch("key");
    let file = key.path().join("master.key");
    fs::write(&file, format!("{}\n", "5a".repeat(32))).unwrap();
    // What others can read is no key.
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let settings = [
        ("WHARF_DATABASE__URL", url.as_str()),
        ("WHARF_MASTER_KEY_FILE", file.to_str().unwrap()),
    ];
    analytics::drive(&mut people::host(&["analytics"], "", &settings));
}
