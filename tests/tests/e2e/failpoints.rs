//! The host is killed at every named place of its work, and nothing that was committed is lost or done twice.

use std::collections::BTreeSet;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use wharf_tests::{ServerOptions, TestServer, library, people, root, send, send_unix_with, until, visitors};

const LIMIT: Duration = Duration::from_secs(60);
const WORK: i64 = 12;
/// Commits of the sealer that pass before it is killed: those of a host that has just started among them.
const SEALED_BEFORE: u32 = 6;

/// What a place is passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Case {
    /// Orders: rows, events and their effects, each once.
    Orders,
    /// Bills: runs of a job, each at least once.
    Bills,
    /// Mails of the guest book: each guest is thanked, and a mail that comes again is the same one.
    Mails,
    /// Tables of a module that has just come.
    Tables,
    /// The audit record: what was recorded is sealed once, in chains that are whole.
    Seals,
    /// Killed by the test in this file.
    By(&'static str),
}

const CASES: &[(&str, Case)] = &[
    ("events.publish", Case::Orders),
    ("events.outbox.committed", Case::Orders),
    ("events.relay.written", Case::Orders),
    ("events.relay.marked", Case::Orders),
    ("events.receive.written", Case::By("tests/tests/servers/visitors.rs")),
    ("events.handle.before", Case::Orders),
    ("events.handle.effects", Case::Orders),
    ("events.inbox.committed", Case::Orders),
    ("database.committing", Case::Orders),
    ("database.committed", Case::Orders),
    ("database.committing", Case::Seals),
    ("database.committed", Case::Seals),
    ("jobs.leased", Case::Bills),
    ("jobs.ran", Case::Bills),
    ("jobs.recorded", Case::Bills),
    ("mail.queued", Case::Mails),
    ("mail.sending", Case::Mails),
    ("mail.sent", Case::Mails),
    ("migrations.written", Case::Tables),
    ("migrations.committed", Case::Tables),
    ("secrets.sealed", Case::By("tests/tests/e2e/secrets.rs")),
];

/// The places in the source, in the list that the host itself checks.
fn places() -> Vec<String> {
    let source = std::fs::read_to_string(root().join("host/src/failpoint.rs")).unwrap();
    let list = source
        .split_once("pub const ALL: &[&str] = &[")
        .unwrap()
        .1
        .split_once("];")
        .unwrap()
        .0;
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_failpoint_has_a_case() {
    let places = places();
    let distinct: BTreeSet<&str> = CASES.iter().map(|(place, _)| *place).collect();
    assert!(places.len() >= distinct.len());
    for place in &places {
        let has_one = CASES.iter().any(|(name, _)| name == place);
        assert!(has_one, "{place} has no case in tests/tests/e2e/failpoints.rs");
    }
    for (place, case) in CASES {
        assert!(places.iter().any(|known| known == place), "{place} is not in the source any more");
        if let Case::By(file) = case {
            let text = std::fs::read_to_string(root().join(file)).unwrap();
            assert!(text.contains(&format!("{place}=")), "{file} does not kill the host at {place}");
        }
    }
}

#[test]
fn nothing_committed_is_lost_and_no_effect_happens_twice_wherever_the_host_is_killed() {
    for (place, case) in CASES {
        match case {
            Case::Orders => orders(place),
            Case::Bills => bills(place),
            Case::Mails => mails(place),
            Case::Tables => tables(place),
            Case::Seals => seals(place),
            Case::By(_) => {}
        }
    }
}

fn server(place: &str) -> TestServer {
    let failpoint = format!("{place}=1*kill");
    TestServer::start(ServerOptions {
        modules: &["orders_module"],
        environment: &[("WHARF_FAILPOINT", &failpoint)],
        ..ServerOptions::default()
    })
}

/// Asks for all of the work; what is not answered may have been done or not.
fn ask(server: &TestServer, path: impl Fn(i64) -> String) -> BTreeSet<i64> {
    let answered = (1..=WORK).filter(|number| {
        let answer = send(server.http(), "POST", &path(*number), &[], &[]);
        // Some places are passed only by work that has been accepted before.
        thread::yield_now();
        answer.is_ok_and(|answer| answer.status == 200)
    });
    answered.collect()
}

fn totals(server: &TestServer) -> Value {
    serde_json::from_str(&server.get("/orders/totals").body).unwrap()
}

fn numbers(totals: &Value, by: &str) -> Vec<i64> {
    let rows = totals["handled"].as_array().unwrap().iter().filter(|row| row["by"] == by);
    let mut numbers: Vec<i64> = rows.map(|row| row["number"].as_i64().unwrap()).collect();
    numbers.sort_unstable();
    numbers
}

fn orders(place: &str) {
    let mut server = server(place);
    let answered = ask(&server, |number| format!("/orders/orders/plain/ada/{number}"));
    server.restart_killed(&[], LIMIT);
    let until = Instant::now() + LIMIT;
    loop {
        let totals = totals(&server);
        let placed: Vec<i64> = totals["placed"].as_array().unwrap().iter().map(|n| n.as_i64().unwrap()).collect();
        let handled = numbers(&totals, "book");
        if placed == handled {
            assert!(!placed.is_empty(), "{place}: nothing was placed before the host was killed");
            assert!(
                answered.iter().all(|number| placed.contains(number)),
                "{place}: {answered:?} were answered, {placed:?} are there"
            );
            return;
        }
        let once: BTreeSet<&i64> = handled.iter().collect();
        assert_eq!(once.len(), handled.len(), "{place}: an effect happened twice: {handled:?}");
        assert!(Instant::now() < until, "{place}: {placed:?} were placed, {handled:?} are handled");
        thread::park_timeout(Duration::from_millis(50));
    }
}

fn bills(place: &str) {
    let mut server = server(place);
    let answered = ask(&server, |number| format!("/orders/bills/{number}"));
    assert!(!answered.is_empty(), "{place}: nothing was asked for before the host was killed");
    server.restart_killed(&[], LIMIT);
    let until = Instant::now() + LIMIT;
    loop {
        let written: BTreeSet<i64> = numbers(&totals(&server), "bill").into_iter().collect();
        if answered.is_subset(&written) {
            return;
        }
        assert!(
            Instant::now() < until,
            "{place}: {answered:?} were asked for, {written:?} are written"
        );
        thread::park_timeout(Duration::from_millis(50));
    }
}

fn mails(place: &str) {
    let failpoint = format!("{place}=1*kill");
    let mut server = visitors::start("", &[("WHARF_FAILPOINT", &failpoint)]);
    let taken: Vec<String> = (1..=WORK)
        .map(|guest| format!("guest{guest}"))
        .filter(|guest| visitors::try_to_sign(&server, guest))
        .collect();
    assert!(!taken.is_empty(), "{place}: nobody signed before the host was killed");
    server.restart_killed(&[visitors::SALT], LIMIT);
    let folder = server.data().join("mail/new");
    let mut mails = Vec::new();
    let all = until(LIMIT, || {
        mails = maildir(&folder);
        let is_thanked = |guest: &String| mails.iter().any(|mail| mail.contains(&format!("To: {guest}@example.org")));
        taken.iter().all(is_thanked).then_some(())
    });
    assert!(all.is_some(), "{place}: {taken:?} signed, these mails went out: {mails:#?}");
    for guest in &taken {
        let to = format!("To: {guest}@example.org");
        let ids: BTreeSet<&str> = mails
            .iter()
            .filter(|mail| mail.contains(&to))
            .filter_map(|mail| message_id(mail))
            .collect();
        assert_eq!(ids.len(), 1, "{place}: {guest} got different mails: {ids:?}");
    }
}

fn tables(place: &str) {
    let failpoint = format!("{place}=kill");
    let mut server = TestServer::start(ServerOptions {
        modules: &["hello_module"],
        environment: &[("WHARF_FAILPOINT", &failpoint), visitors::SALT],
        ..ServerOptions::default()
    });
    server.install(&library("visitors"));
    server.restart_killed(&[visitors::SALT], LIMIT);
    visitors::sign(&server, "guest");
    visitors::wait_for_tally(&server, 1);
    let ran = server.wharf(&["migrate", "status", "--json"]);
    assert_eq!(ran.code, 0, "{place}: {ran:?}");
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row["state"] == "applied"),
        "{place}: {rows:?}"
    );
}

/// Killed around the commit of the sealer, which is what the audit module commits by itself. Accounts are made meanwhile.
fn seals(place: &str) {
    let failpoint = format!("{place}@audit={SEALED_BEFORE}*kill");
    let mut server = people::host(&[], "", &[("WHARF_FAILPOINT", &failpoint)]);
    let until_killed = Instant::now() + LIMIT;
    let mut made = BTreeSet::new();
    for number in 0.. {
        let account = json!({ "tenant": "default", "email": format!("u{number}@example.org"), "name": "U", "emailVerified": true });
        let socket = server.data().join("admin/wharf.sock");
        let method = "/admin/v1/call/wharf.identity.v1.Users/Create";
        let answer = send_unix_with(
            &socket,
            "POST",
            method,
            &[("content-type", "application/json")],
            account.to_string().as_bytes(),
        );
        let Ok(answer) = answer.as_ref().map(wharf_tests::Answer::json) else {
            break;
        };
        made.extend(answer["id"].as_str().map(|id| format!("user:{id}")));
        assert!(
            Instant::now() < until_killed,
            "{place}: {} accounts were made, and nobody was killed",
            made.len()
        );
    }
    assert!(!made.is_empty(), "{place}: no account was made before the host was killed");
    server.restart_killed(&[people::CORE], LIMIT);
    let mut objects = Vec::new();
    let all = until(LIMIT, || {
        let listed = server.wharf(&["audit", "list", "--action", "identity.user.create", "--limit", "10000", "--json"]);
        let entries: Vec<Value> = serde_json::from_str(&listed.out).ok()?;
        objects = entries
            .iter()
            .map(|sealed| sealed["entry"]["object"].as_str().unwrap().to_owned())
            .collect();
        made.iter().all(|id| objects.contains(id)).then_some(())
    });
    assert!(all.is_some(), "{place}: {made:?} were made, {objects:?} are in the record");
    let once: BTreeSet<&String> = objects.iter().collect();
    assert_eq!(once.len(), objects.len(), "{place}: something was sealed twice: {objects:?}");
    let verified = server.wharf(&["audit", "verify"]);
    assert_eq!(verified.code, 0, "{place}: {verified:?}");
}

fn maildir(folder: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    entries
        .map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap())
        .collect()
}

fn message_id(mail: &str) -> Option<&str> {
    mail.lines().find(|line| line.starts_with("Message-ID:"))
}
