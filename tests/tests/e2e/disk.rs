//! A full disk: writes fail and say so, nothing is half done, reading goes on, and everything works again once there is room.

use std::time::Duration;

use serde_json::Value;
use wharf_tests::disk::Disk;
use wharf_tests::{ServerOptions, TestServer, until};

const SOON: Duration = Duration::from_secs(60);
const EVERYTHING: &str = "/data/";
const MAIL: &str = "/data/mail/";

fn server(disk: &Disk) -> TestServer {
    TestServer::start(ServerOptions {
        modules: &["orders_module", "depot_module"],
        environment: &disk.environment(),
        ..ServerOptions::default()
    })
}

fn place(server: &TestServer, number: i64) -> u16 {
    server.send("POST", &format!("/orders/orders/plain/ada/{number}"), &[], &[]).status
}

fn put(server: &TestServer, name: &str) -> u16 {
    let content = name.repeat(50_000);
    server.send("PUT", &format!("/depot/blobs/{name}"), &[], content.as_bytes()).status
}

fn totals(server: &TestServer) -> Value {
    let answer = server.get("/orders/totals");
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

fn placed(totals: &Value) -> Vec<i64> {
    totals["placed"]
        .as_array()
        .unwrap()
        .iter()
        .map(|number| number.as_i64().unwrap())
        .collect()
}

fn booked(totals: &Value) -> Vec<i64> {
    let rows = totals["handled"].as_array().unwrap().iter().filter(|row| row["by"] == "book");
    let mut numbers: Vec<i64> = rows.map(|row| row["number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

/// Whether what was placed is these, and each was handled once.
fn wait_until_booked(server: &TestServer, expected: &[i64]) {
    let mut last = Value::Null;
    let done = until(SOON, || {
        last = totals(server);
        (placed(&last) == expected && booked(&last) == expected).then_some(())
    });
    assert!(
        done.is_some(),
        "expected {expected:?}, found {last}; wharf printed:\n{}",
        server.process().output()
    );
}

fn mails(server: &TestServer) -> Vec<String> {
    let entries = std::fs::read_dir(server.data().join("mail/new")).into_iter().flatten();
    entries
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn a_full_disk_fails_writes_and_nothing_else_and_what_was_there_stays() {
    let disk = Disk::new();
    let mut server = server(&disk);
    assert_eq!((place(&server, 1), put(&server, "kept")), (200, 200));
    wait_until_booked(&server, &[1]);

    disk.fill(EVERYTHING);
    for number in 2..5 {
        assert_eq!(place(&server, number), 507, "an order was taken without room for it");
    }
    assert_eq!(put(&server, "lost"), 507);
    server.process().wait_for_output("full", SOON);
    let read = totals(&server);
    assert_eq!((placed(&read), booked(&read)), (vec![1], vec![1]), "reading goes on");
    let kept = server.get("/depot/blobs/kept");
    assert_eq!((kept.status, kept.body.len()), (200, 200_000), "reading goes on");
    assert_eq!(server.get("/depot/blobs/lost").status, 404, "nothing of it is there");
    assert_eq!(server.module("orders")["state"], "running");

    disk.free();
    assert_eq!((place(&server, 5), put(&server, "later")), (200, 200), "without a restart");
    wait_until_booked(&server, &[1, 5]);
    server.kill_and_start_again();
    wait_until_booked(&server, &[1, 5]);
    assert_eq!(server.get("/depot/list").body, "kept later");
    assert_eq!(place(&server, 6), 200);
    wait_until_booked(&server, &[1, 5, 6]);
}

#[test]
fn a_mail_that_finds_no_room_waits_and_goes_out_once() {
    let disk = Disk::new();
    let server = server(&disk);
    disk.fill(MAIL);
    let sent = server.send("POST", "/depot/mail/alone/ada@example.org/Ada", &[], &[]);
    assert_eq!(sent.status, 200, "it is in the queue: {sent:?}");
    let mut listed = Value::Null;
    let tried = until(SOON, || {
        listed = serde_json::from_str(&server.wharf(&["mail", "list", "depot", "--json"]).out).ok()?;
        (listed[0]["attempts"].as_u64()? > 0 && listed[0]["state"] != "leased").then_some(())
    });
    assert!(tried.is_some(), "{listed}");
    assert!(mails(&server).is_empty(), "half a mail is none: {:?}", mails(&server));
    disk.free();
    let mut found = Vec::new();
    let arrived = until(SOON, || {
        found = mails(&server);
        (!found.is_empty()).then_some(())
    });
    assert!(arrived.is_some(), "{:?}", server.wharf(&["mail", "list", "depot", "--json"]));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("To: ada@example.org") && found[0].contains("Ada"), "{found:?}");
}
