//! `wharf login` at a host as if it were somewhere else: through the login page, with an API key, and what works then.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{PASSWORD, host, person};
use wharf_tests::{Process, TestServer, send, until};

const SOON: Duration = Duration::from_secs(20);

/// A user of the command line, with a configuration folder of their own.
struct Desk<'s> {
    server: &'s TestServer,
    folder: tempfile::TempDir,
}

impl Desk<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.server.command(arguments);
        command
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("WHARF_SERVER", format!("http://{}", self.server.http()))
            // Without --server it would be the admin socket; that must not be what answers.
            .env_remove("WHARF_CONFIG")
            .env_remove("WHARF_DATA_DIR");
        command
    }

    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, err) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        serde_json::from_str(&out).unwrap()
    }

    /// Logs in as whoever sits in front of the browser would.
    fn log_in(&self, email: &str) {
        let mut login = Process::start(&mut self.command(&["login", "--json"]));
        let printed = login.wait_for_output("code_challenge_method", SOON);
        let address = printed.lines().find(|line| line.contains("/auth/v1/authorize?")).unwrap().trim();
        let path = &address[address.find("/auth/").unwrap()..];
        let page = self.server.get(path);
        assert_eq!(page.status, 200, "{}", page.body);
        let id = page
            .body
            .split("name=\"request\" value=\"")
            .nth(1)
            .unwrap()
            .split('"')
            .next()
            .unwrap();
        let cookie = header(&page.head, "set-cookie").split(';').next().unwrap().to_owned();
        let form = format!("request={id}&login={}&password={PASSWORD}", email.replace('@', "%40"));
        let headers = [("content-type", "application/x-www-form-urlencoded"), ("cookie", cookie.as_str())];
        let sent = self.server.send("POST", "/auth/v1/authorize", &headers, form.as_bytes());
        assert_eq!(sent.status, 303, "{}", sent.body);
        let back = header(&sent.head, "location");
        let (address, path) = back.strip_prefix("http://").unwrap().split_once('/').unwrap();
        let closed = send(address.parse().unwrap(), "GET", &format!("/{path}"), &[], b"").unwrap();
        assert!(closed.body.contains("You are logged in"), "{}", closed.body);
        assert!(login.wait(SOON).success(), "{}", login.output());
    }
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}:")));
    line.unwrap_or_else(|| panic!("no {name} in {head}"))
        .split_once(':')
        .unwrap()
        .1
        .trim()
        .to_owned()
}

#[test]
fn somebody_logs_in_from_the_command_line_makes_a_key_and_logs_out() {
    let server = host(&["greeter"], "", &[]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let desk = Desk {
        server: &server,
        folder: tempfile::tempdir().unwrap(),
    };
    let (code, _, err) = desk.run(&["whoami"]);
    assert_eq!(code, 5, "nobody is logged in yet: {err}");
    desk.log_in(&ada.email);
    let who = desk.json(&["whoami"]);
    assert_eq!(
        (who["subject"].as_str().unwrap(), &who["tenant"]),
        (format!("user:{}", ada.id).as_str(), &json!("default"))
    );
    let sessions = desk.json(&["sessions", "list"]);
    let sessions = sessions.as_array().unwrap();
    assert!(
        sessions
            .iter()
            .any(|session| session["current"] == true && session["client_id"] == "wharf-cli"),
        "{sessions:?}"
    );

    let made = desk.json(&["api-keys", "create", "ci", "--scope", "greeter.*", "--days", "1"]);
    let key = made["key"].as_str().unwrap().to_owned();
    let with_key = || {
        server
            .send("GET", "/greeter/statistics", &[("authorization", &format!("Bearer {key}"))], b"")
            .status
    };
    assert!(
        until(SOON, || (with_key() == 200).then_some(())).is_some(),
        "the key is answered with {}",
        with_key()
    );
    let id = made["about"]["id"].as_str().unwrap();
    let (_, listed, _) = desk.run(&["api-keys", "list"]);
    assert!(listed.contains(id) && !listed.contains(&key), "{listed}");
    desk.json(&["api-keys", "revoke", id]);
    assert!(
        until(SOON, || (with_key() == 401).then_some(())).is_some(),
        "a revoked key is answered with {}",
        with_key()
    );

    desk.json(&["logout"]);
    assert_eq!(desk.run(&["whoami"]).0, 5);
}

#[test]
fn an_api_key_from_the_environment_needs_no_login() {
    let server = host(&["greeter"], "", &[]);
    let ada = person(&server, "default", "ada", &["admin@*"]);
    let made = ada.call(&server, "wharf.auth.v1.ApiKeys/Create", &json!({ "name": "ci" }));
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let desk = Desk {
        server: &server,
        folder: tempfile::tempdir().unwrap(),
    };
    let output = desk.command(&["whoami", "--json"]).env("WHARF_API_KEY", &key).output().unwrap();
    let who: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(who["subject"], format!("user:{}", ada.id));
    assert!(
        std::fs::read_dir(desk.folder.path()).unwrap().next().is_none(),
        "something was kept"
    );
}
