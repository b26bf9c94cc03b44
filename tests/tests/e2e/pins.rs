//! What operators decide of builds and settings, and what `wharf` then says is in force.

use serde_json::Value;

use super::stage::{LIMIT, hello_answers, says, server};

#[test]
fn a_pinned_module_takes_no_other_build_and_the_running_one_goes_on() {
    let server = server(&["hello_module"], "");
    let other = server.wharf(&["modules", "pin", "hello", "--version", "9.9.9"]);
    assert_eq!(
        (other.code, other.out.as_str()),
        (0, "hello: not decided, version pinned to 9.9.9\n"),
        "{}",
        other.err
    );
    let refused = server.wharf(&["modules", "reload", "hello", "--json"]);
    assert_eq!(refused.code, 5, "{}", refused.out);
    assert!(refused.err.contains("resolve.pinned"), "{}", refused.err);
    assert!(says(&server.module("hello"), "pinned to version 9.9.9, found 1.0.0"));
    hello_answers(&server);

    // Without a version or a hash it is the build that runs.
    let hash = server.module("hello")["hash"].as_str().unwrap().to_owned();
    assert!(
        server
            .wharf(&["modules", "pin", "hello"])
            .out
            .contains(&format!("hash pinned to {hash}"))
    );
    assert_eq!(server.wharf(&["modules", "reload", "hello"]).code, 0);
    assert_eq!(server.wharf(&["modules", "unpin", "hello"]).out, "hello: not decided\n");
    assert_eq!(server.wharf(&["modules", "pin", "hello", "--version", "new"]).code, 5);
    assert_eq!(server.wharf(&["modules", "pin", "none"]).code, 5);
}

#[test]
fn what_is_explained_is_what_is_in_force() {
    let server = server(&[], "[plugins.trust]\nmode = \"hashed\"\n");
    let explained = |path: &str| -> Value {
        let ran = server.wharf(&["config", "explain", "--running", "--json"]);
        let settings: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
        settings.into_iter().find(|setting| setting["path"] == path).unwrap()["value"].clone()
    };
    // Looser trust: refused as a whole.
    server.configure("[plugins]\nstop_timeout = \"1s\"\n[plugins.trust]\nmode = \"any\"\n");
    server.process().signal("HUP");
    server.process().wait_for_output("the configuration was not taken", LIMIT);
    assert_eq!(
        (explained("plugins.trust.mode"), explained("plugins.stop_timeout")),
        ("hashed".into(), "5s".into())
    );

    // Tighter trust, and one setting that needs a restart.
    server.configure("[http]\nrequest_timeout = \"1s\"\n[plugins]\nstop_timeout = \"1s\"\n[plugins.trust]\nmode = \"signed\"\n");
    server.process().signal("HUP");
    server.process().wait_for_output("configuration read again", LIMIT);
    assert_eq!(
        (explained("plugins.trust.mode"), explained("plugins.stop_timeout")),
        ("signed".into(), "1s".into())
    );
    assert_eq!(explained("http.request_timeout"), "1m");
    server.process().wait_for_output("http.request_timeout", LIMIT);
}
