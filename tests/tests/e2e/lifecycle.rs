//! The life of a module: what goes wrong at its start and at its end, and the modules that need it.

use wharf_tests::until;

use super::stage::{LIMIT, config, hello_answers, keeps_its_secret, messages, says, server, wait_for_message, wait_for_state};

/// Configuration of the lab, what its status says then.
const STARTS: &[(&str, &str)] = &[
    ("create = \"panic\"", "create panics as configured"),
    ("init = \"fail\"", "init fails as configured"),
    ("init = \"panic\"", "init panics as configured"),
    ("init = \"hang\"", "init did not end within 3000 ms"),
    ("undeclared = true", "errors"),
    ("start = \"fail\"", "start fails as configured"),
    ("start = \"panic\"", "start panics as configured"),
    ("start = \"hang\"", "start did not end within 3000 ms"),
    ("health = \"fail\"", "health fails as configured"),
    ("health = \"panic\"", "health panics as configured"),
    ("health = \"hang\"", "health did not end within 3000 ms"),
];

/// Configuration of the lab, what its status says after its end.
const STOPS: &[(&str, &str)] = &[
    ("stop = \"fail\"", "stop fails as configured"),
    ("stop = \"panic\"", "stop panics as configured"),
    ("stop = \"hang\"", "stop did not end within 1000 ms"),
    ("stop = \"spin\"\nspin_ms = 3000", "stop did not end within 1000 ms"),
    ("drop = \"panic\"", "drop panics as configured"),
    ("drop = \"spin\"\nspin_ms = 3000", "its drop did not end"),
];

#[test]
fn a_module_that_cannot_start_fails_alone_and_those_that_need_it_are_told() {
    let modules = ["lab_module", "needs_lab", "hello_module"];
    let server = server(&modules, &config(STARTS[0].0, ""));
    for (index, (lab, text)) in STARTS.iter().enumerate() {
        if index > 0 {
            server.configure(&config(lab, ""));
            server.process().signal("HUP");
        }
        let status = server.wait_for_module("lab", text, |status| status["state"] == "failed" && says(status, text));
        assert_eq!(server.get("/lab/word").status, 404, "{lab}: {}", messages(&status));
        hello_answers(&server);
    }
    let needs = wait_for_message(&server, "needs-lab", "resolve.needs-down: needs-lab requires lab, which is failed");
    assert_eq!(needs["state"], "failed", "{}", messages(&needs));

    server.configure(&config("", ""));
    server.process().signal("HUP");
    wait_for_state(&server, "needs-lab", "running");
    assert_eq!(server.get("/lab/word").body, "first");
    assert_eq!(server.get("/needs-lab/here").status, 200);
    keeps_its_secret(&server);
}

#[test]
fn a_module_that_cannot_stop_is_ended_and_its_status_says_why() {
    let server = server(&["lab_module", "hello_module"], &config(STOPS[0].0, ""));
    for (index, (lab, text)) in STOPS.iter().enumerate() {
        if index > 0 {
            server.configure(&config(lab, ""));
            let read = || server.process().output().matches("configuration read again").count();
            let before = read();
            server.process().signal("HUP");
            assert!(until(LIMIT, || (read() > before).then_some(())).is_some(), "{lab} was not read");
            let enabled = server.wharf(&["modules", "enable", "lab"]);
            assert_eq!(enabled.code, 0, "{lab}: {}", enabled.err);
        }
        let disabled = server.wharf(&["modules", "disable", "lab"]);
        assert_eq!(disabled.code, 0, "{lab}: {}", disabled.err);
        let status = wait_for_message(&server, "lab", text);
        assert_eq!(status["state"], "disabled", "{lab}: {}", messages(&status));
        hello_answers(&server);
    }
    assert_eq!(server.module("lab")["panics"], 2, "one in stop, one in drop");
    keeps_its_secret(&server);
}

#[test]
fn what_the_manifest_does_not_list_is_refused_by_name() {
    let server = server(&["lab_module", "hello_module"], &config("", ""));
    for (path, name) in [("/lab/undeclared/service", "errors"), ("/lab/undeclared/channel", "hello")] {
        let answer = server.get(path);
        assert_eq!(answer.status, 422, "{path}: {}", answer.body);
        assert!(answer.body.contains(name) && answer.body.contains("wharf.toml"), "{}", answer.body);
    }
}

#[test]
fn checks_and_counters_of_a_module_are_seen() {
    let server = server(&["lab_module"], &config("", ""));
    for _ in 0..3 {
        assert_eq!(server.get("/lab/count").status, 200);
    }
    let metrics = wharf_tests::send(server.management(), "GET", "/metrics", &[], &[]).unwrap().body;
    let counted = metrics
        .lines()
        .find(|line| line.contains("lab_counted_total{") || line.starts_with("lab_counted_total "));
    assert!(
        counted.is_some_and(|line| line.contains("module=\"lab\"") && line.ends_with(" 3")),
        "{metrics}"
    );
    for state in ["degraded", "not-serving", "serving"] {
        assert_eq!(server.get(&format!("/lab/health/{state}")).status, 200);
        server.wait_for_module("lab", state, |status| status["health"] == state);
    }
}
