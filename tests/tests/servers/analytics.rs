//! Analytics on PostgreSQL, Redis and RabbitMQ: the same steps as on the embedded default, then two nodes and a broker that is killed.

use wharf_tests::analytics;
use wharf_tests::shared::Shared;

#[test]
fn events_of_identity_are_counted_once_on_real_servers_too() {
    let shared = Shared::start();
    analytics::drive(&mut shared.node("one", &["analytics"], ""));
}

#[test]
fn accounts_of_two_nodes_are_counted_once_while_the_broker_is_killed() {
    analytics::across_nodes(&mut Shared::start());
}
