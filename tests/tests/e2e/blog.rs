//! The blog on what a host has when nobody configured anything.

use wharf_tests::{blog, people};

#[test]
fn posts_are_written_read_found_and_kept_through_a_kill() {
    blog::drive(&mut people::host(&["blog"], "", &[]));
}
