//! Every core service on what a host has when nobody configured anything.

use wharf_tests::visitors;

#[test]
fn the_guest_book_keeps_everything_on_the_embedded_default() {
    visitors::drive(&mut visitors::start("", &[]));
}
