//! The blog on PostgreSQL, Redis and RabbitMQ: the same steps as on the embedded default, then two nodes and a broker that is killed.

use wharf_tests::blog;
use wharf_tests::shared::Shared;

#[test]
fn posts_are_written_read_found_and_kept_on_real_servers_too() {
    let shared = Shared::start();
    blog::drive(&mut shared.node("one", &["blog"], ""));
}

#[test]
fn posts_of_two_nodes_are_told_once_while_the_broker_is_killed() {
    blog::across_nodes(&mut Shared::start());
}
