//! What modules log comes out in the host's stream, with who said it and in which call.

use serde_json::Value;

use super::stage::{CANARY, LIMIT, config, keeps_its_secret, log_lines, server};

/// The events that the lab wrote under a tag, by level.
fn events<'a>(lines: &'a [Value], tag: &str) -> Vec<(&'a str, &'a Value)> {
    lines
        .iter()
        .filter(|line| line["fields"]["tag"] == tag)
        .map(|line| (line["level"].as_str().unwrap_or_default(), line))
        .collect()
}

#[test]
fn events_of_a_module_carry_module_instance_request_and_trace() {
    let server = server(&["lab_module"], &config("", ""));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let parent = format!("00-{trace}-b7ad6b7169203331-01");
    let answer = server.send("GET", "/lab/log/one", &[("traceparent", &parent)], &[]);
    assert_eq!(answer.status, 200);
    server.process().wait_for_output("an info event", LIMIT);
    let lines = log_lines(&server);
    let events = events(&lines, "one");
    let levels: Vec<&str> = events.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, ["ERROR", "WARN", "INFO"]);
    let instance = server.module("lab")["instance"].clone();
    for (_, event) in &events {
        assert_eq!((&event["module.id"], &event["module.instance"]), (&"lab".into(), &instance));
        assert_eq!(event["trace.id"], trace, "{event}");
        let request = event["request.id"].as_str().unwrap_or_default();
        assert!(answer.head.contains(request) && !request.is_empty(), "{event}\n{}", answer.head);
        assert_eq!(event["spans"][0]["name"], "outer", "{event}");
        assert_eq!(event["spans"][0]["fields"]["tag"], "one", "{event}");
        assert_eq!(event["spans"][1]["name"], "inner", "{event}");
        assert_eq!(event["spans"][1]["fields"]["depth"], 2, "{event}");
    }
    let fields: Vec<&Value> = events.iter().map(|(_, event)| &event["fields"]).collect();
    assert_eq!(fields[0]["number"], -1);
    assert_eq!(fields[1]["flag"], true);
    assert_eq!(fields[2]["ratio"], 0.5);
}

#[test]
fn levels_of_a_module_change_while_it_runs() {
    let server = server(&["lab_module"], &config("", ""));
    for (set, tag, count) in [
        ("lab=trace", "all", 5),
        ("lab=debug", "more", 4),
        ("lab=error", "few", 1),
        ("reset", "back", 3),
    ] {
        let ran = server.wharf(&["log", "set", set]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(server.get(&format!("/lab/log/{tag}")).status, 200);
        // What comes after it in the stream is there.
        let end = format!("end-{tag}");
        assert_eq!(server.get(&format!("/lab/log/{end}")).status, 200);
        server.process().wait_for_output(&end, LIMIT);
        assert_eq!(events(&log_lines(&server), tag).len(), count, "after log set {set}");
    }
    let wrong = server.wharf(&["log", "set", "lab=loud"]);
    assert_eq!(wrong.code, 2, "{}", wrong.err);
}

#[test]
fn a_secret_in_a_section_is_shown_nowhere() {
    let server = server(&["lab_module"], &config("", ""));
    for arguments in [
        &["config", "explain"][..],
        &["config", "explain", "--json"],
        &["config", "explain", "--running"],
        &["config", "check"],
        &["modules", "show", "lab", "--json"],
        &["modules", "plan", "--json"],
    ] {
        let ran = server.wharf(arguments);
        assert!(
            !format!("{}{}", ran.out, ran.err).contains(CANARY),
            "wharf {arguments:?}: {}{}",
            ran.out,
            ran.err
        );
    }
    assert_eq!(server.wharf(&["log", "set", "trace"]).code, 0);
    for path in ["/lab/panic/handler", "/lab/log/x", "/lab/undeclared/service"] {
        let answer = server.get(path);
        assert!(!answer.body.contains(CANARY) && !answer.head.contains(CANARY));
    }
    server.configure(&config("word = \"again\"", ""));
    server.process().signal("HUP");
    server.process().wait_for_output("configuration read again", LIMIT);
    keeps_its_secret(&server);
}
