//! Billing on what a host has when nobody configured anything.

use wharf_tests::billing;

#[test]
fn customers_are_billed_once_and_pay_once_through_every_kill() {
    billing::drive(&mut billing::host(&[]));
}
