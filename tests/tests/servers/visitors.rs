//! The guest book on PostgreSQL, Redis, RabbitMQ, S3 and SMTP: the same steps as on the embedded default, then without its
//! servers, and on several hosts.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use wharf_tests::visitors::{self, Stage};
use wharf_tests::{TestServer, until};

const SOON: Duration = Duration::from_secs(60);

#[test]
fn the_guest_book_keeps_everything_on_real_servers() {
    let stage = Stage::start();
    visitors::drive(&mut stage.node("one", &[]));
}

#[test]
fn nothing_is_lost_or_counted_twice_while_servers_are_killed_and_hosts_too() {
    let mut stage = Stage::start();
    let mut nodes = vec![stage.node("one", &[]), stage.node("two", &[]), stage.node("three", &[])];
    let taken = AtomicUsize::new(0);
    for server in ["rabbitmq", "redis", "postgres"] {
        under_load(&nodes, &taken, || {
            stage.server(server).kill();
            thread::park_timeout(Duration::from_secs(1));
            stage.server(server).restart();
        });
        for node in &nodes {
            let back = until(SOON, || visitors::try_to_sign(node, &format!("after {server}")).then_some(()));
            assert!(back.is_some(), "{server} is back and a host is not:\n{}", node.process().output());
            taken.fetch_add(1, Ordering::Relaxed);
        }
    }
    // A host that dies in the middle: the others do its work.
    under_load(&nodes, &taken, || nodes_die(&nodes[2]));
    let last = nodes.pop().unwrap();
    drop(last);
    let one = &nodes[0];
    let entries = visitors::pages(one);
    assert!(
        entries >= taken.load(Ordering::Relaxed),
        "{entries} entries, {taken:?} were answered"
    );
    visitors::wait_for_tally(one, i64::try_from(entries).unwrap());
    // It stays so: nothing is counted twice by what was still on its way.
    let quiet = Instant::now() + Duration::from_secs(3);
    while Instant::now() < quiet {
        visitors::wait_for_tally(one, i64::try_from(entries).unwrap());
    }
    let dead = one.wharf(&["events", "list", "--state", "dead", "--json"]);
    assert_eq!(dead.code, 0, "{dead:?}");
    assert!(!dead.out.contains("visitors."), "{}", dead.out);
}

#[test]
fn a_delivery_that_was_written_and_not_acknowledged_is_handled_once() {
    let stage = Stage::start();
    let mut node = stage.node("one", &[("WHARF_FAILPOINT", "events.receive.written=1*kill")]);
    for n in 0..12 {
        visitors::try_to_sign(&node, &format!("guest{n}"));
    }
    node.restart_killed(&stage.environment("one"), SOON);
    let entries = visitors::pages(&node);
    assert!(
        entries > 0,
        "nothing was taken before the host was killed:\n{}",
        node.process().output()
    );
    visitors::wait_for_tally(&node, i64::try_from(entries).unwrap());
}

/// Guests sign on every host while `meanwhile` happens, and a little longer.
fn under_load(nodes: &[TestServer], taken: &AtomicUsize, meanwhile: impl FnOnce()) {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for (place, node) in nodes.iter().enumerate() {
            let done = &done;
            scope.spawn(move || {
                let mut guest = 0;
                while !done.load(Ordering::Relaxed) {
                    guest += 1;
                    if visitors::try_to_sign(node, &format!("guest{place}-{guest}")) {
                        taken.fetch_add(1, Ordering::Relaxed);
                    }
                    thread::park_timeout(Duration::from_millis(20));
                }
            });
        }
        meanwhile();
        thread::park_timeout(Duration::from_secs(1));
        done.store(true, Ordering::Relaxed);
    });
}

fn nodes_die(node: &TestServer) {
    node.process().signal("KILL");
}
