//! `wharf dev` on the modules that come with Wharf: an edit is live after its build, and what they keep is still there.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::{Answer, send};

use crate::clone::Clone;
use crate::terminal::Terminal;

/// Builds are part of it, on machines that do other things too.
const LIMIT: Duration = Duration::from_secs(900);
const JSON: (&str, &str) = ("content-type", "application/json");
const PASSWORD: &str = "correct horse battery";

/// A sentence of a module that an author changes, a request that shows it, and a list of things it keeps.
struct Edit {
    module: &'static str,
    file: &'static str,
    before: &'static str,
    after: &'static str,
    shown_by: (&'static str, &'static str, &'static str),
    kept: &'static str,
}

const EDITS: [Edit; 3] = [
    Edit {
        module: "blog",
        file: "plugins/blog/src/error.rs",
        before: "there is no such {0}",
        after: "there is surely no such {0}",
        shown_by: ("GET", "/blog/posts/none", ""),
        kept: "/blog/posts",
    },
    Edit {
        module: "billing",
        file: "plugins/billing/src/error.rs",
        before: "there is no such {0}",
        after: "there is surely no such {0}",
        shown_by: ("POST", "/billing/webhooks/nobody", "{}"),
        kept: "/billing/customers",
    },
    Edit {
        module: "analytics",
        file: "plugins/analytics/src/http/write.rs",
        before: "page views are taken",
        after: "page views are surely taken",
        shown_by: ("POST", "/analytics/views", "{\"path\": \"/\"}"),
        kept: "/analytics/metrics",
    },
];

#[test]
fn an_edit_of_each_module_is_live_after_its_build_and_what_it_keeps_is_still_there() {
    let clone = Clone::make();
    let mut host = terminal(&clone, "make run");
    let serves = ["Wharf serves 5 modules on ...".to_owned()];
    host.wait_for(&serves, LIMIT)
        .unwrap_or_else(|line| panic!("no {line:?}:\n{}", host.output()));
    seed(&clone);
    let token = sign_in(&clone);
    for edit in &EDITS {
        follow(edit, &clone, &token, &host);
    }
}

fn follow(edit: &Edit, clone: &Clone, token: &str, host: &Terminal) {
    let (method, path, body) = edit.shown_by;
    let says = |what: &str| {
        let answer = ask(clone, method, path, &[JSON], body);
        answer.json()["detail"].as_str().is_some_and(|detail| detail.contains(what))
    };
    let kept = || {
        let bearer = format!("Bearer {token}");
        let answer = ask(clone, "GET", edit.kept, &[("authorization", &bearer)], "");
        let items: Vec<Value> = answer.json()["items"].as_array().cloned().unwrap_or_default();
        items
            .iter()
            .map(|item| item.get("id").unwrap_or(&item["name"]).to_string())
            .collect::<Vec<_>>()
    };
    let (there, module) = (kept(), edit.module);
    assert!(!there.is_empty() && !says("surely"), "{module} before its edit: {there:?}");

    let mut dev = terminal(clone, &format!("target/debug/wharf dev {module}"));
    let mut wait = |lines: &[String]| {
        let seen = dev.wait_for(lines, LIMIT);
        seen.unwrap_or_else(|line| panic!("{module}: no {line:?}:\n{}\nthe host:\n{}", dev.output(), host.output()));
    };
    wait(&["watching ...".to_owned(), format!("{module} ...")]);
    let file = clone.folder().join(edit.file);
    let text = fs::read_to_string(&file).expect("a file of the module");
    assert!(text.contains(edit.before), "{} has no {:?} any more", edit.file, edit.before);
    fs::write(&file, text.replace(edit.before, edit.after)).expect("the copy can be written to");
    wait(&[format!("{module} 1.0.0 runs as generation ... after it was built")]);
    let printed = dev.output();
    println!("{}", printed.lines().rfind(|line| line.contains("generation")).unwrap_or_default());
    assert!(says("surely"), "{module} runs and the edit is not there:\n{printed}");
    let now = kept();
    assert!(there.iter().all(|id| now.contains(id)), "{module} kept {there:?}, and has {now:?}");
}

/// People, posts, customers and page views.
fn seed(clone: &Clone) {
    let mut command = command(clone, "target/debug/wharf demo seed --password-stdin");
    let mut seeding = command.stdin(Stdio::piped()).spawn().expect("the program starts");
    let mut input = seeding.stdin.take().expect("a pipe");
    input.write_all(format!("{PASSWORD}\n").as_bytes()).expect("it reads");
    drop(input);
    assert!(seeding.wait().expect("it ends").success(), "no demo was made");
}

fn sign_in(clone: &Clone) -> String {
    let body = json!({ "login": "grace@example.org", "password": PASSWORD }).to_string();
    let answer = ask(clone, "POST", "/auth/v1/sessions", &[JSON], &body);
    answer.json()["access_token"]
        .as_str()
        .unwrap_or_else(|| panic!("{answer:?}"))
        .to_owned()
}

fn ask(clone: &Clone, method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    send(clone.public(), method, path, fields, body.as_bytes()).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

fn terminal(clone: &Clone, line: &str) -> Terminal {
    Terminal::start(command(clone, line))
}

fn command(clone: &Clone, line: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]).current_dir(clone.folder());
    clone.environment(&mut command);
    command
}
