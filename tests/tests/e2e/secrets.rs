//! Secrets that the host keeps: set, read, changed and sealed again, killed in between, and seen nowhere.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;
use wharf_tests::{TestServer, people};

use super::stage::{config, server};

const CANARY: &str = "canary-sk-41c7e0";

/// A `wharf` command with something on its standard input, perhaps killed at a failpoint.
fn wharf(server: &TestServer, arguments: &[&str], input: &str, failpoint: Option<&str>) -> Output {
    let mut command = server.command(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(failpoint) = failpoint {
        command.env("WHARF_FAILPOINT", failpoint);
    }
    let mut child = command.spawn().unwrap();
    // One that was killed before it read all of it is what some tests want.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn set(server: &TestServer, value: &str) {
    let ran = wharf(server, &["secrets", "set", "hoard", "stripe-key"], value, None);
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    hides(&ran);
}

fn hides(ran: &Output) {
    let printed = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(!printed.contains("canary"), "{printed}");
}

/// What the module sees of it.
fn seen(server: &TestServer) -> Value {
    let answer = server.get("/hoard/secret/stripe-key");
    assert_eq!(answer.status, 200, "{}", answer.body);
    serde_json::from_str(&answer.body).unwrap()
}

fn listed(server: &TestServer) -> Vec<Value> {
    let ran = server.wharf(&["secrets", "list", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn a_secret_is_read_by_its_module_changes_at_the_next_look_and_is_seen_nowhere() {
    let server = server(&["hoard"], &config("", ""));
    assert_eq!(seen(&server)["fault"], "not-found");
    set(&server, &format!("{CANARY}\n"));
    assert_eq!(seen(&server)["length"], CANARY.len());
    set(&server, &format!("{CANARY}-and-longer"));
    assert_eq!(seen(&server)["length"], CANARY.len() + 11);

    let list = listed(&server);
    assert_eq!((&list[0]["module"], &list[0]["name"]), (&"hoard".into(), &"stripe-key".into()));
    let rotated = wharf(&server, &["secrets", "rotate-key", "--json"], "", None);
    assert!(rotated.status.success());
    hides(&rotated);
    assert_ne!(listed(&server)[0]["key"], list[0]["key"]);
    assert_eq!(
        seen(&server)["length"],
        CANARY.len() + 11,
        "the running host opens what the new key sealed"
    );

    for shown in [
        server.process().output(),
        server.admin("GET", "/status").body,
        server.admin("GET", "/config/explain").body,
        server.wharf(&["modules", "show", "hoard"]).out,
        server.wharf(&["config", "explain"]).out,
        server.wharf(&["secrets", "list"]).out,
    ] {
        assert!(!shown.contains("canary-sk"), "{shown}");
    }
    for entry in std::fs::read_dir(server.data()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap_or_default();
        assert!(!bytes.windows(9).any(|window| window == b"canary-sk"), "{} has it", path.display());
    }
    assert!(server.wharf(&["secrets", "delete", "hoard", "stripe-key"]).code == 0);
    assert_eq!(seen(&server)["fault"], "not-found");
    assert_eq!(server.wharf(&["secrets", "delete", "hoard", "stripe-key"]).code, 5);
}

#[test]
fn a_command_that_is_killed_while_it_seals_loses_nothing() {
    let server = server(&["hoard"], &config("", ""));
    set(&server, CANARY);
    let before = listed(&server);
    for (arguments, input) in [
        (&["secrets", "set", "hoard", "stripe-key"][..], "another"),
        (&["secrets", "rotate-key"], ""),
    ] {
        let killed = wharf(&server, arguments, input, Some("secrets.sealed=kill"));
        assert_eq!(
            killed.status.code(),
            None,
            "{arguments:?} was not killed: {}",
            String::from_utf8_lossy(&killed.stderr)
        );
        assert_eq!(seen(&server)["length"], CANARY.len(), "after {arguments:?}");
    }
    let failed = wharf(&server, &["secrets", "rotate-key"], "", Some("secrets.sealed=error"));
    assert_eq!(failed.status.code(), Some(1));
    assert_eq!(seen(&server)["length"], CANARY.len());
    assert!(wharf(&server, &["secrets", "rotate-key"], "", None).status.success());
    let after = listed(&server);
    assert!(after.len() == 1 && after[0]["key"] != before[0]["key"]);
    assert_eq!(seen(&server)["length"], CANARY.len());
    let key = std::fs::read_to_string(server.data().join("master.key")).unwrap();
    assert_eq!(key.lines().count(), 1, "an old key was left");
}

#[test]
fn a_master_key_that_others_can_read_is_told_at_the_start_and_in_the_list_of_modules() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut server = people::host(&[], "", &[]);
    let key = server.data().join("master.key");
    let set_mode = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    set_mode(0o644);
    server.restart();
    let said = server
        .process()
        .wait_for_output("failed    auth: ", std::time::Duration::from_secs(30));
    for text in ["the master key cannot be used", "has mode 644", "without auth nobody can sign in"] {
        assert!(said.contains(text), "{text:?} is not in:\n{said}");
    }
    let listed = server.wharf(&["modules", "list"]).out;
    let is_failed = |line: &str| line.starts_with("auth ") && line.contains("failed");
    assert!(listed.lines().any(is_failed), "{listed}");
    assert!(
        listed.lines().any(|line| line.starts_with("auth: ") && line.contains("chmod 600")),
        "{listed}"
    );

    set_mode(0o600);
    let enabled = server.wharf(&["modules", "enable", "auth"]);
    assert_eq!(enabled.code, 0, "{enabled:?}");
    assert!(!people::person(&server, "default", "ada", &[]).token.is_empty());
}

#[test]
fn the_environment_comes_before_files_and_files_before_what_is_stored() {
    use std::os::unix::fs::PermissionsExt as _;
    let mut server = wharf_tests::TestServer::start(wharf_tests::ServerOptions {
        modules: &["hoard"],
        config: &config("", "[secrets]\ndir = \"mounted\""),
        environment: &[("WHARF_SECRET__HOARD__UNSET", "from-the-environment")],
        ..wharf_tests::ServerOptions::default()
    });
    let length = |server: &TestServer, name: &str| -> Value {
        serde_json::from_str::<Value>(&server.get(&format!("/hoard/secret/{name}")).body).unwrap()["length"].clone()
    };
    assert_eq!(length(&server, "unset"), 20);
    set(&server, "stored");
    assert_eq!(length(&server, "stripe-key"), 6);
    let file = server.config().with_file_name("mounted").join("hoard/stripe-key");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(&file, "in a file\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert_eq!(length(&server, "stripe-key"), 9);
    server.restart();
    assert_eq!(length(&server, "stripe-key"), 9);
}
