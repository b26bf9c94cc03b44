//! A request fuzzer against the OpenAPI document: schemathesis makes requests of every operation, and holds each answer against
//! what the document says. What is checked and what is not is in docs/TESTING.md.

#[path = "fuzz/document.rs"]
mod document;
#[path = "fuzz/report.rs"]
mod report;
#[path = "fuzz/requests.rs"]
mod requests;
#[path = "fuzz/things.rs"]
mod things;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_tests::people::{self, Person};
use wharf_tests::{Process, TestServer, root, scratch, send};

use report::Report;
use requests::Known;
use things::Things;

/// How long the fuzzer may take, on a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(900);
/// What the host is configured with: play money, tokens that outlive the run, passwords that cost nothing, and no limits.
const CONFIG: &str = "[modules.billing]\nprovider = \"test\"\n\
    [modules.auth]\naccess_token_seconds = 7200\n\
    [modules.identity.password]\nmemory_kib = 8\niterations = 1\n\
    [mail]\nrate_per_minute = 1000000\n\
    [rate_limits.classes]\n\
    address = { requests = 0, per = \"1m\" }\n\
    anonymous = { requests = 0, per = \"1m\" }\n\
    default = { requests = 0, per = \"1m\" }\n";
/// The key of webhooks; hooks.py has it too.
const WEBHOOKS: (&str, &str) = ("WHARF_SECRET__BILLING__WEBHOOK_KEY", "a key that the fuzzer knows");
/// Operations that cannot succeed here: two need another identity provider, and one answers a browser that has begun a login, with 303.
const OUT_OF_REACH: [&str; 3] = [
    "GET /auth/v1/callback/{provider}",
    "GET /auth/v1/login/{provider}",
    "POST /auth/v1/authorize",
];

#[test]
#[allow(clippy::print_stdout, reason = "how many requests there were is worth knowing")]
fn every_operation_answers_as_the_document_says_whatever_it_is_sent() {
    let server = people::host(&["blog", "billing", "analytics"], CONFIG, &[WEBHOOKS]);
    seed(&server);
    let root = people::person(&server, "default", "root", &["admin@*"]);
    let mut document = send(server.management(), "GET", "/openapi.json", &[], b"").unwrap().json();
    let open = document::left_open(&document);
    assert!(open.is_empty(), "the document leaves open:\n{}", open.join("\n"));
    let known = requests::put_into(&mut document, &mut Things::new(&server, &root));
    document::name_every_status(&mut document);

    let report = run(&server, &root, &document, known);
    let operations: BTreeSet<String> = document::operations(&document).map(|(name, _)| name).collect();
    println!("{} requests of {} operations", report.requests, operations.len());
    let wrong = report.wrong();
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(report.ended, "completed");
    let missed: Vec<&str> = operations
        .iter()
        .filter(|name| !report.has_succeeded(name))
        .map(String::as_str)
        .collect();
    let seen: Vec<_> = missed
        .iter()
        .map(|name| format!("{name}: {:?}", report.statuses.get(*name)))
        .collect();
    assert!(
        missed == OUT_OF_REACH,
        "expected these without success: {OUT_OF_REACH:?}, found:\n{}",
        seen.join("\n")
    );
    assert!(
        missed.len() * 20 < operations.len(),
        "more than 5 % of {} operations never succeed",
        operations.len()
    );
}

/// People, posts, invoices and page views, as anybody gets them who tries Wharf.
fn seed(server: &TestServer) {
    let url = format!("http://{}", server.http());
    let mut seeding = server
        .command(&["demo", "seed", "--url", &url, "--password-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    seeding.stdin.take().unwrap().write_all(b"correct horse battery\n").unwrap();
    let seeded = seeding.wait_with_output().unwrap();
    assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stderr));
}

/// Runs the fuzzer to its end.
fn run(server: &TestServer, root: &Person, document: &Value, known: Known) -> Report {
    let folder = scratch("fuzz");
    let file = |name: &str| folder.path().join(name);
    fs::write(file("openapi.json"), document.to_string()).unwrap();
    fs::write(file("hooks.py"), include_str!("fuzz/hooks.py")).unwrap();
    fs::write(file("schemathesis.toml"), settings(root, known)).unwrap();
    let mut command = Command::new(program());
    command
        .current_dir(folder.path())
        .args(["--config-file", "schemathesis.toml", "run", "openapi.json", "--no-color"])
        .arg(format!("--url=http://{}", server.http()))
        .args(["--report-ndjson-path", "report.ndjson"]);
    let mut process = Process::start(&mut command);
    let status = process.wait(LIMIT);
    let printed = process.output();
    // 1: there are findings, which the report has.
    assert!(
        matches!(status.code(), Some(0 | 1)),
        "schemathesis ended with {status}; it printed:\n{printed}"
    );
    keep(&file("report.ndjson"));
    Report::read(&file("report.ndjson"))
}

/// `tests/servers/fuzz/schemathesis.toml`, and what is known of this host.
fn settings(root: &Person, known: Known) -> String {
    let text = include_str!("fuzz/schemathesis.toml");
    let mut settings: Value = toml::from_str(text).unwrap();
    settings["auth"] = json!({ "openapi": { "bearer": { "bearer": root.token } } });
    settings["dictionaries"] = Value::Object(known.dictionaries);
    settings["operations"].as_array_mut().unwrap().extend(known.operations);
    if let Ok(examples) = std::env::var("WHARF_TEST_FUZZ_EXAMPLES") {
        settings["generation"]["max-examples"] = examples.parse::<u64>().expect("WHARF_TEST_FUZZ_EXAMPLES is a number").into();
    }
    if let Ok(seed) = std::env::var("WHARF_TEST_FUZZ_SEED") {
        settings["seed"] = seed.parse::<u64>().expect("WHARF_TEST_FUZZ_SEED is a number").into();
    }
    toml::to_string(&settings).unwrap()
}

/// For who looks into a run by hand.
fn keep(report: &Path) {
    if let Some(target) = std::env::var_os("WHARF_TEST_FUZZ_REPORT") {
        fs::copy(report, target).unwrap();
    }
}

fn program() -> PathBuf {
    let own = root().join("target/tools/schemathesis/bin/schemathesis");
    assert!(own.is_file(), "no {}: `make test-servers` installs it", own.display());
    own
}
