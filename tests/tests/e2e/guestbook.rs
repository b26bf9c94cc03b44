//! Every core service on what a host has when nobody configured anything.

use wharf_tests::guestbook;

#[test]
fn the_guest_book_keeps_everything_on_the_embedded_default() {
    guestbook::drive(&mut guestbook::start("", &[]));
}
