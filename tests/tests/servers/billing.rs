//! Billing on PostgreSQL, Redis and RabbitMQ: the same steps as on the embedded default, then two nodes, one of which is killed, and a
//! broker that is.

use std::process::Command;

use wharf_tests::billing;
use wharf_tests::shared::Shared;

#[test]
fn customers_are_billed_once_and_pay_once_on_real_servers_too() {
    let shared = Shared::start();
    let mut server = billing::node(&shared, "one");
    billing::drive(&mut server);
    let database = shared.variable("WHARF_TEST_POSTGRES_URL");
    billing::tampering_is_found(&server, |statement| {
        let ran = Command::new("psql").args([&database, "-At", "-c", statement]).output().unwrap();
        let said = [ran.stdout, ran.stderr].concat();
        (ran.status.success(), String::from_utf8_lossy(&said).into_owned())
    });
}

#[test]
fn two_nodes_bill_each_period_once_while_one_is_killed() {
    let shared = Shared::start();
    let mut one = billing::node(&shared, "one");
    let two = billing::node(&shared, "two");
    billing::two_nodes(&mut one, &two);
}

#[test]
fn posts_of_two_nodes_are_billed_once_while_the_broker_is_killed() {
    billing::across_nodes(&mut Shared::start());
}
