//! The guest book, driven as its guests and its operator do: the same steps whatever the host keeps its things in.

mod stage;

use std::time::Duration;

use serde_json::{Value, json};

use crate::client::send;
use crate::process::until;
use crate::server::{ServerOptions, TestServer};

pub use stage::Stage;

/// How long work in the background may take on a busy machine.
const SOON: Duration = Duration::from_secs(120);
/// The secret that the guest book needs.
pub const SALT: (&str, &str) = ("WHARF_SECRET__VISITORS__SALT", "a pinch of salt");
const JSON: (&str, &str) = ("content-type", "application/json");

/// Starts a host with the guest book; `config` and `environment` choose what it keeps its things in.
#[must_use]
pub fn start(config: &str, environment: &[(&str, &str)]) -> TestServer {
    TestServer::start(ServerOptions {
        modules: &["visitors"],
        config,
        environment: &[environment, &[SALT]].concat(),
        ..ServerOptions::default()
    })
}

/// Signs. Gives the number of the entry.
///
/// # Panics
/// When it is not taken.
pub fn sign(server: &TestServer, name: &str) -> i64 {
    let entry = json!({ "name": name, "text": format!("{name} was here"), "email": format!("{name}@example.org") });
    let answer = server.send("POST", "/visitors/entries", &[JSON], entry.to_string().as_bytes());
    assert_eq!(answer.status, 201, "{answer:?}\nwharf printed:\n{}", server.process().output());
    number_of(&answer.json())
}

/// Tries to sign: whether it was taken. A host whose servers are away may refuse, and may take what it could not say it took.
pub fn try_to_sign(server: &TestServer, name: &str) -> bool {
    let entry = json!({ "name": name, "text": format!("{name} was here"), "email": format!("{name}@example.org") });
    let answer = send(server.http(), "POST", "/visitors/entries", &[JSON], entry.to_string().as_bytes());
    answer.is_ok_and(|answer| answer.status == 201)
}

/// Waits until so many were counted, and no more.
///
/// # Panics
/// When that is not so soon.
pub fn wait_for_tally(server: &TestServer, expected: i64) {
    let mut last = Value::Null;
    let seen = until(SOON, || {
        last = server.get("/visitors/tally").json();
        (last.get("signed") == Some(&expected.into())).then_some(())
    });
    assert!(
        seen.is_some(),
        "expected a tally of {expected}, found {last}; wharf printed:\n{}",
        server.process().output()
    );
}

/// All of it, with a kill in between: what was answered is there, and what was counted is counted once.
///
/// # Panics
/// When anything is not as it should be.
pub fn drive(server: &mut TestServer) {
    for n in 0..20 {
        sign(server, &format!("guest{n}"));
    }
    wait_for_tally(server, 20);
    assert_eq!(pages(server), 20);

    for n in 20..30 {
        sign(server, &format!("guest{n}"));
    }
    server.kill_and_start_again();
    assert_eq!(pages(server), 30, "an entry that was answered is gone");
    wait_for_tally(server, 30);

    let asked = |guest: &str| {
        let body = json!({ "guest": guest }).to_string();
        server.send("POST", "/visitors/forget", &[JSON], body.as_bytes())
    };
    assert_eq!(asked("guest7@example.org").status, 202);
    let gone = until(SOON, || (pages(server) == 29).then_some(()));
    assert!(
        gone.is_some(),
        "the guest was not forgotten; wharf printed:\n{}",
        server.process().output()
    );
    assert_eq!(server.get("/visitors/entries/8").status, 404);

    let ran = server.wharf(&["jobs", "run", "visitors", "digest"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let dead = server.wharf(&["events", "list", "--state", "dead", "--json"]);
    assert_eq!(dead.code, 0, "{dead:?}");
}

fn number_of(entry: &Value) -> i64 {
    entry.get("id").and_then(Value::as_i64).expect("an entry has a number")
}

/// How many entries there are, page by page.
///
/// # Panics
/// When one cannot be read.
pub fn pages(server: &TestServer) -> usize {
    let (mut after, mut count) = (0, 0);
    loop {
        let page = server.get(&format!("/visitors/entries?after={after}&limit=7"));
        assert_eq!(page.status, 200, "{page:?}\nwharf printed:\n{}", server.process().output());
        let page = page.json();
        let entries = page.as_array().expect("a page is a list");
        let Some(last) = entries.last() else { return count };
        count += entries.len();
        after = number_of(last);
    }
}
