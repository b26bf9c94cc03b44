//! Somebody at a command line somewhere else.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use wharf_tests::people::PASSWORD;
use wharf_tests::{Process, TestServer, send};

const SOON: Duration = Duration::from_secs(20);

/// A user of the command line, with a configuration folder of their own.
pub(super) struct Desk<'s> {
    server: &'s TestServer,
    pub(super) folder: tempfile::TempDir,
}

impl<'s> Desk<'s> {
    pub(super) fn at(server: &'s TestServer) -> Self {
        Self {
            server,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.server.command(arguments);
        command
            .env("XDG_CONFIG_HOME", self.folder.path())
            .env("WHARF_SERVER", format!("http://{}", self.server.http()))
            // Without --server it would be the admin socket; that must not be what answers.
            .env_remove("WHARF_CONFIG")
            .env_remove("WHARF_DATA_DIR");
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let output = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
    }

    pub(super) fn json(&self, arguments: &[&str]) -> Value {
        let (code, out, err) = self.run(&[arguments, &["--json"]].concat());
        assert_eq!(code, 0, "{arguments:?}: {out}{err}");
        serde_json::from_str(&out).unwrap()
    }

    /// Logs in as whoever sits in front of the browser would.
    pub(super) fn log_in(&self, email: &str) {
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
