//! The real binary, against a host that is made up behind a real admin socket, and against itself.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

#[path = "cli/fake.rs"]
mod fake;
#[path = "cli/program.rs"]
mod program;

use fake::FakeHost;
use program::{Outcome, Place};
use serde_json::{Value, json};

#[test]
fn modules_are_listed_as_a_table_and_as_json() {
    let host = FakeHost::start();
    let out = host.place().run(&["modules", "list"]);
    assert_eq!(out.code, 0, "{out:?}");
    let lines: Vec<_> = out.stdout.lines().collect();
    assert!(lines[0].starts_with("ID") && lines[0].contains("STATE"), "{out:?}");
    assert!(lines[1].starts_with("blog") && lines[1].contains("running"), "{out:?}");
    let listing = host.place().run(&["--json", "modules", "list"]).json();
    assert_eq!((&listing["running"], &listing["modules"][0]["id"]), (&json!(true), &json!("blog")));
}

#[test]
fn text_of_a_module_cannot_move_the_cursor() {
    let host = FakeHost::start();
    let out = host.place().run(&["modules", "show", "blog"]);
    assert!(out.stdout.contains("Posts\\u{1b}[2J"), "{out:?}");
    assert!(!out.stdout.contains('\u{1b}'), "{out:?}");
}

#[test]
fn changes_reach_the_host_and_refusals_have_code_hint_and_exit_code() {
    let host = FakeHost::start();
    let place = host.place();
    assert_eq!(place.run(&["modules", "enable", "blog"]).code, 0);
    assert_eq!(place.run(&["modules", "reload", "blog"]).code, 0);
    let refused = place.run(&["modules", "disable", "blog"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    assert_eq!(refused.stderr, "error: billing needs blog\nhint: pass --force\n");
    let refused = place.run(&["modules", "disable", "blog", "--json"]);
    let error: Value = serde_json::from_str(&refused.stderr).unwrap();
    assert_eq!(
        error,
        json!({ "error": { "code": "module.needed", "message": "billing needs blog", "hint": "pass --force" } })
    );
    assert_eq!(place.run(&["modules", "disable", "blog", "--force"]).code, 0);
    assert_eq!(place.run(&["modules", "pin", "blog", "--version", "1.2.0"]).code, 0);
    assert_eq!(place.run(&["modules", "pin", "blog"]).code, 0);
    assert_eq!(place.run(&["modules", "unpin", "blog"]).code, 0);
    assert_eq!(place.run(&["modules", "show", "nobody"]).code, 5);
    let asked = [
        "enable blog",
        "reload blog",
        "disable blog false",
        "disable blog false",
        "disable blog true",
        "pin blog Some(\"1.2.0\") None",
        "pin blog Some(\"1.0.0\") None",
        "pin blog None None",
        "module nobody",
    ];
    assert_eq!(host.asked(), asked);
}

#[test]
fn a_plan_with_errors_shows_three_lines_each_and_exits_with_3() {
    let host = FakeHost::start();
    for command in ["plan", "check", "rescan"] {
        let out = host.place().run(&["modules", command]);
        assert_eq!(out.code, 3, "{out:?}");
        assert!(
            out.stdout
                .contains("error[resolve.missing] billing: needs blog ^2\n  why: found 1.0.0\n  fix: build blog 2"),
            "{out:?}"
        );
        assert!(out.stdout.contains("1 error, 0 warnings"), "{out:?}");
    }
    let plan = host.place().run(&["modules", "plan", "--json"]);
    assert_eq!((plan.code, &plan.json()["findings"][0]["code"]), (3, &json!("resolve.missing")));
}

#[test]
fn routes_and_log_levels_are_shown_and_set() {
    let host = FakeHost::start();
    let out = host.place().run(&["routes"]);
    assert!(
        out.stdout.lines().any(|l| l
            .split_whitespace()
            .eq(["blog", "http", "GET", "/blog/{id}", "require", "blog.post.read"])),
        "{out:?}"
    );
    assert_eq!(host.place().run(&["log", "set", "blog=debug"]).stdout, "info,blog=debug\n");
    assert_eq!(host.place().run(&["log", "show"]).stdout, "info,blog=debug\n");
    assert_eq!(host.place().run(&["log", "set", "reset"]).stdout, "info\n");
}

#[test]
fn migrations_are_shown_planned_and_run() {
    let host = FakeHost::start();
    let out = host.place().run(&["migrate", "status"]);
    assert!(
        out.stdout.lines().any(|l| l.split_whitespace().eq([
            "blog",
            "0001_posts",
            "expand",
            "applied",
            "1.0.0",
            "2026-06-01T12:00:00Z",
            "abcdefabcdef"
        ])),
        "{out:?}"
    );
    let out = host.place().run(&["migrate", "plan"]);
    assert_eq!(out.stdout, "blog 0002_tags (expand, pending)\n  CREATE TABLE tag (id INTEGER);\n");
    assert_eq!(host.place().run(&["migrate", "plan", "other"]).stdout, "nothing to do\n");
    let out = host.place().run(&["migrate", "up", "blog", "--json"]);
    assert_eq!((out.code, &out.json()[1]["state"]), (0, &json!("pending")), "{out:?}");
}

#[test]
fn with_no_host_the_exit_code_and_the_hint_say_so() {
    let place = Place::new();
    for command in [
        &["routes"][..],
        &["log", "show"],
        &["modules", "show", "blog"],
        &["modules", "reload", "blog"],
    ] {
        let out = place.run(command);
        assert_eq!(out.code, 4, "{command:?} {out:?}");
        assert!(
            out.stderr.contains("no host answers at") && out.stderr.contains("hint: start one with `wharf serve`"),
            "{out:?}"
        );
    }
}

#[test]
fn a_wrong_command_line_exits_with_2_and_does_nothing() {
    let host = FakeHost::start();
    for command in [
        &["modules", "enable", "Blog"][..],
        &["log", "set", "loud"],
        &["serve", "--listen", "8080"],
        &["nonsense"],
        &[],
    ] {
        let out = host.place().run(command);
        assert_eq!((out.code, out.stdout.as_str()), (2, ""), "{command:?} {out:?}");
    }
    assert!(host.asked().is_empty());
    let help = host.place().run(&["--help"]);
    assert_eq!(help.code, 0);
    for line in ["Exit codes:", "3  the check ran and found errors", "NO_COLOR"] {
        assert!(help.stdout.contains(line), "{line}");
    }
}

#[test]
fn the_documented_exit_codes_are_those_of_the_help() {
    let help = Place::new().run(&["--help"]).stdout;
    let docs = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/operations/cli.md")).unwrap();
    let documented: Vec<_> = docs
        .lines()
        .filter_map(|l| l.strip_prefix("| "))
        .filter(|l| l.starts_with(|c: char| c.is_ascii_digit()))
        .collect();
    assert_eq!(documented.len(), 7);
    for row in documented {
        let cells: Vec<_> = row.trim_end_matches(" |").split(" | ").collect();
        let in_help = help.lines().any(|l| l.trim() == format!("{}  {}", cells[0], cells[1]));
        assert!(in_help, "{row} is not in --help");
    }
}

#[test]
fn config_check_explain_and_schema_need_no_host() {
    let place = Place::new();
    assert_eq!(place.run(&["config", "check"]).stdout, "the configuration is sound\n");
    place.write(
        "wharf-host.toml",
        "[http]\nlisen = 1\n[log]\nlevel = \"info\"\n[database]\nurl = \"postgres://a:canary@b/c\"\n",
    );
    let out = place.run(&["config", "check"]);
    assert_eq!(out.code, 3);
    assert_eq!(
        out.stdout,
        "http.lisen: unknown key (from file wharf-host.toml); did you mean `listen`?\n"
    );
    assert_eq!(place.run(&["config", "explain"]).code, 2);

    place.write(
        "wharf-host.toml",
        "[log]\nlevel = \"loud\"\n[database]\nurl = \"postgres://a:canary@b/c\"\n",
    );
    let out = place.run(&["config", "check", "--json"]);
    assert_eq!((out.code, &out.json()["problems"][0]["path"]), (3, &json!("log.level")));
    let out = place.run_with(&["config", "explain"], &[("WHARF_HTTP__PORT", "7777")]);
    assert!(
        out.stdout.lines().any(|l| l
            .split_whitespace()
            .eq(["http.port", "7777", "environment", "variable", "WHARF_HTTP__PORT"])),
        "{out:?}"
    );
    assert!(
        !out.stdout.contains("canary") && out.stdout.contains("postgres://a:***@b/c"),
        "{out:?}"
    );
    assert_eq!(place.run(&["config", "schema"]).json()["title"], "wharf-host.toml");
}

#[test]
fn completions_are_printed_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let out = Place::new().run(&["completions", shell]);
        assert!(out.code == 0 && out.stdout.contains("reload"), "{shell}");
    }
}

#[test]
fn doctor_finds_what_keeps_a_host_from_running() {
    let place = Place::new();
    place.write("wharf-host.toml", "[http]\nport = 0\n[management]\nlisten = \"127.0.0.1:0\"\n");
    let out = place.run(&["doctor"]);
    assert_eq!(out.code, 0, "{out:?}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    place.write(
        "wharf-host.toml",
        &format!("[http]\nport = {port}\n[management]\nlisten = \"127.0.0.1:0\"\n"),
    );
    let out = place.run(&["doctor", "--json"]);
    let checks = out.json();
    let check = checks.as_array().unwrap().iter().find(|c| c["what"] == "http.listen").unwrap();
    assert_eq!((out.code, &check["verdict"]), (3, &json!("error")));
}

#[test]
fn a_host_serves_its_admin_socket_until_it_is_told_to_stop() {
    let place = Place::new();
    place.write(
        "wharf-host.toml",
        "[http]\nport = 0\n[management]\nlisten = \"127.0.0.1:0\"\n[log]\nformat = \"json\"\n",
    );
    let mut host = place.spawn(&["serve", "--dev"]);
    place.wait_for_host();
    assert_eq!(place.run(&["modules", "list", "--json"]).json()["running"], true);
    let trust = place.run(&["config", "explain", "--running", "--json"]).json();
    let trust = trust
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["path"] == "plugins.trust.mode")
        .cloned();
    assert_eq!(
        trust.unwrap(),
        json!({ "path": "plugins.trust.mode", "value": "any", "source": "--dev" })
    );

    let second = place.run(&["serve", "--dev"]);
    assert_eq!(second.code, 1, "{second:?}");
    assert!(second.stderr.contains("another host runs"), "{second:?}");

    place.write(
        "wharf-host.toml",
        "[log]\nlevel = \"debug\"\nformat = \"json\"\n[http]\nport = 0\n[management]\nlisten = \"127.0.0.1:0\"\n",
    );
    host.signal("HUP");
    place.wait_until("the levels of the new configuration", || {
        place.run(&["log", "show"]).stdout == "debug\n"
    });

    host.signal("TERM");
    let Outcome { code, stdout, .. } = host.end();
    assert_eq!(code, 0, "{stdout}");
    let messages: Vec<String> = stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["message"].as_str().unwrap().to_owned())
        .collect();
    for expected in ["host runs", "configuration read again", "host stops", "host has stopped"] {
        assert!(messages.iter().any(|m| m == expected), "{expected} in {messages:?}");
    }
    assert_eq!(place.run(&["routes"]).code, 4);
}

#[test]
fn dev_listens_on_loopback_only() {
    let out = Place::new().run(&["serve", "--dev", "--listen", "0.0.0.0:0"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(
        out.stderr
            .contains("http.listen: found 0.0.0.0:0, expected a loopback address because of --dev"),
        "{out:?}"
    );
}

/// A module without dependencies, so that cargo needs no registry.
fn write_module(place: &Place, source: &str) {
    std::fs::create_dir_all(place.path().join("src")).unwrap();
    place.write(
        "Cargo.toml",
        "[package]\nname = \"blog\"\nedition = \"2024\"\n[lib]\ncrate-type = [\"cdylib\"]\n[workspace]\n",
    );
    place.write("wharf.toml", "id = \"blog\"\nversion = \"1.0.0\"\ndescription = \"Posts\"\n");
    place.write("src/lib.rs", source);
}

#[test]
fn dev_swaps_what_builds_and_keeps_the_old_build_otherwise() {
    let host = FakeHost::start();
    let place = host.place();
    write_module(place, "#[unsafe(no_mangle)] pub extern \"C\" fn one() {}");
    let out = place.run(&["dev", "blog", "--once"]);
    assert_eq!(out.code, 0, "{out:?}");
    assert!(out.stdout.contains("blog 1.0.0 runs as generation 2"), "{out:?}");
    let library = place.path().join("plugins/libblog.so");
    let served = std::fs::read(&library).unwrap();

    write_module(place, "pub fn broken() -> u32 { \"text\" }");
    let out = place.run(&["dev", "blog", "--once"]);
    assert_eq!(out.code, 3, "{out:?}");
    assert!(
        out.stdout.contains("the old one keeps serving") && out.stderr.contains("mismatched types"),
        "{out:?}"
    );
    assert_eq!(std::fs::read(&library).unwrap(), served);
}

#[test]
fn dev_builds_again_when_a_source_changes() {
    let host = FakeHost::start();
    let place = host.place();
    write_module(place, "");
    let mut dev = place.spawn(&["dev", "blog", "--json"]);
    let mut events = dev.lines();
    let mut next = |event: &str| {
        let found: Value = serde_json::from_str(&events.next().unwrap().unwrap()).unwrap();
        assert_eq!(found["event"], event, "{found}");
        found["generation"].clone()
    };
    next("watching");
    assert_eq!(next("swapped"), 2);
    place.write("src/lib.rs", "fn broken( {}");
    next("build-failed");
    place.write("src/lib.rs", "#[unsafe(no_mangle)] pub extern \"C\" fn two() {}");
    assert_eq!(next("swapped"), 3);
    dev.signal("INT");
    assert_eq!(dev.end().code, 0);
}

#[test]
fn dev_ends_at_an_interrupt_while_it_builds() {
    let host = FakeHost::start();
    let place = host.place();
    write_module(place, "");
    // It goes on as long as the folder is there: only the build is killed, not what the build started.
    let build = "fn main() { let here = std::path::Path::new(\"building\"); std::fs::write(here, \"\").unwrap(); \
                 while here.exists() { std::thread::sleep(std::time::Duration::from_millis(20)) } }";
    place.write("build.rs", build);
    let mut dev = place.spawn(&["dev", "blog"]);
    place.wait_until("a build", || place.path().join("building").exists());
    dev.signal("INT");
    let ended = dev.end();
    std::fs::remove_file(place.path().join("building")).unwrap();
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn dev_needs_a_package_that_is_a_module_and_a_host() {
    let host = FakeHost::start();
    let place = host.place();
    write_module(place, "");
    let out = place.run(&["dev", "blgo"]);
    assert_eq!(out.code, 2, "{out:?}");
    assert!(out.stderr.contains("found no package \"blgo\", expected one of: blog"), "{out:?}");
    std::fs::remove_file(place.path().join("wharf.toml")).unwrap();
    assert!(place.run(&["dev", "blog"]).stderr.contains("is no module"));
    assert_eq!(Place::new().run(&["dev", "blog"]).code, 4);
}

#[test]
fn keys_are_made_once_and_what_is_shown_is_what_the_configuration_takes() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let made = place.run(&["keys", "new", "release-1", "--json"]).json();
    let file = place.path().join("release-1.key");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let shown = place.run(&["keys", "show", "release-1.key", "--json"]).json();
    assert_eq!((&shown["id"], &shown["public"]), (&json!("release-1"), &made["public"]));
    let before = std::fs::read(&file).unwrap();
    let again = place.run(&["keys", "new", "release-1"]);
    assert_eq!((again.code, std::fs::read(&file).unwrap()), (1, before), "{again:?}");
    place.write("wharf-host.toml", &place.run(&["keys", "show", "release-1.key"]).stdout);
    assert_eq!(place.run(&["config", "check"]).code, 0);
}

#[test]
fn a_folder_is_judged_with_no_host_running() {
    let place = Place::new();
    assert_eq!(place.run(&["modules", "plan"]).stdout, "no modules\n");
    assert!(!place.path().join(".wharf").exists(), "looking made something");
    place.write("wharf-host.toml", "[plugins.trust]\nmode = \"any\"\n");
    place.write("no.so", "not a library");
    let out = place.run(&["modules", "check", "no.so", "--json"]);
    assert_eq!(
        (out.code, &out.json()["findings"][0]["code"]),
        (3, &json!("inspect.not-object")),
        "{out:?}"
    );
    let out = place.run(&["sign", "no.so", "--key", "none.key"]);
    assert_eq!((out.code, out.stdout.as_str()), (1, ""), "{out:?}");
    assert_eq!(out.stderr.matches("No such file").count(), 1, "a cause is said twice: {out:?}");
}
