//! Analytics on what a host has when nobody configured anything.

use wharf_tests::{analytics, people};

#[test]
fn events_of_identity_are_counted_once_through_a_kill_and_a_replay() {
    analytics::drive(&mut people::host(&["analytics"], "", &[]));
}
