//! One trace is the whole tree of what a request caused, in the host and in every module; and a collector that is away costs nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
use serde_json::{Value, json};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};
use wharf_tests::people::{self, Person};
use wharf_tests::{ServerOptions, TestServer, until};

use super::stage;

const SOON: Duration = Duration::from_secs(60);
const JSON: (&str, &str) = ("content-type", "application/json");
/// As in W3C trace context, chosen by the caller.
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
/// In what the author writes: arguments of statements, values of the cache, data of events.
const CANARY: &str = "canary-of-a-post";

/// A draft of an author who may publish it, the author, and the trace in which it was made.
fn draft(server: &TestServer) -> (Person, String, String) {
    let role = json!({ "tenant": "default", "name": "author" });
    people::operate(server, "wharf.authz.v1.Roles/Create", &role);
    for permission in ["blog.post.write", "blog.post.publish"] {
        let rule = json!({ "subject": "role:author", "tenant": "default", "permission": permission, "resource": "own" });
        people::operate(server, "wharf.authz.v1.Roles/AddRule", &json!({ "rule": rule }));
    }
    let ada = people::person(server, "default", "ada", &["author"]);
    let post = json!({ "title": CANARY, "summary": "", "body": CANARY, "tags": [CANARY] }).to_string();
    // Rules hold on the node within a second. Each try is a trace of its own.
    let mut tries = 0_u128;
    let made = until(SOON, || {
        tries += 1;
        let parent = format!("00-{tries:032x}-{CALLER}-01");
        let fields = [JSON, ("idempotency-key", "draft"), ("traceparent", parent.as_str())];
        let answer = ada.send(server, "POST", "/blog/posts", &fields, post.as_bytes());
        (answer.status != 403).then_some(answer)
    });
    let made = made.expect("the rules hold");
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.json()["id"].as_str().unwrap().to_owned();
    (ada, id, format!("{tries:032x}"))
}

/// Publishes it, in the trace of a caller.
fn publish(server: &TestServer, author: &Person, post: &str) {
    let parent = format!("00-{TRACE}-{CALLER}-01");
    let fields = [JSON, ("if-match", "*"), ("traceparent", parent.as_str())];
    let published = author.send(server, "POST", &format!("/blog/drafts/{post}/publish"), &fields, b"");
    assert_eq!(published.status, 200, "{}", published.body);
}

/// The spans of a trace, as the command line shows them; none as long as there is no such trace.
fn spans(server: &TestServer, id: &str) -> Option<Vec<Value>> {
    let shown = server.wharf(&["traces", "show", id, "--json"]);
    let tree: Value = serde_json::from_str(&shown.out).ok()?;
    assert_eq!(tree["trace_id"].as_str().map(str::len), Some(32), "{tree}");
    Some(tree["spans"].as_array().unwrap().clone())
}

fn text<'a>(span: &'a Value, name: &str) -> &'a str {
    span[name].as_str().unwrap_or_default()
}

/// The spans of this name.
fn named<'a>(spans: &'a [Value], module: &str, name: &str) -> Vec<&'a Value> {
    let is_it = |span: &&Value| text(span, "module") == module && text(span, "name") == name;
    spans.iter().filter(is_it).collect()
}

/// Whether a span is below another one, however deep.
fn is_below(spans: &[Value], span: &Value, above: &Value) -> bool {
    let mut next = text(span, "parent");
    while let Some(parent) = spans.iter().find(|span| text(span, "span_id") == next) {
        if parent == above {
            return true;
        }
        next = text(parent, "parent");
    }
    false
}

/// Those whose parent is not among them.
fn first_spans(spans: &[Value]) -> Vec<&Value> {
    let ids: HashSet<&str> = spans.iter().map(|span| text(span, "span_id")).collect();
    spans.iter().filter(|span| !ids.contains(text(span, "parent"))).collect()
}

fn is_of_database(span: &Value) -> bool {
    !span["attributes"]["db.system.name"].is_null()
}

#[test]
fn one_request_is_one_tree_over_host_and_modules() {
    let config = "[log]\nformat = \"json\"\n";
    let server = people::host(&["blog", "billing", "analytics"], config, &[]);
    let (ada, post, _) = draft(&server);
    publish(&server, &ada, &post);

    // Deliveries come later, each with statements of its own; the audit log has a record too.
    let wanted = [
        ("billing", "process blog.post.published.v1"),
        ("analytics", "process blog.post.published.v1"),
        ("blog", "process blog.post.changed.v1"),
        ("audit", "process wharf.audit.recorded.v1"),
    ];
    let all = until(SOON, || {
        let spans = spans(&server, TRACE)?;
        let is_whole = wanted.iter().all(|(module, name)| !named(&spans, module, name).is_empty());
        // A parent ends after what is below it.
        (is_whole && first_spans(&spans).len() == 1).then_some(spans)
    });
    let all = all.unwrap_or_else(|| panic!("{}", server.wharf(&["traces", "show", TRACE]).out));

    // One tree: its first span is below the caller's, and every other one below another of these.
    let ids: HashSet<&str> = all.iter().map(|span| text(span, "span_id")).collect();
    assert_eq!(ids.len(), all.len(), "two spans have one id");
    let request = first_spans(&all)[0];
    assert_eq!(text(request, "parent"), CALLER);
    assert_eq!(text(request, "name"), "POST /blog/drafts/{id}/publish");
    assert_eq!(
        (text(request, "kind"), &request["attributes"]["http.response.status_code"]),
        ("server", &json!(200))
    );
    assert!(all.iter().all(|span| span == request || is_below(&all, span, request)));

    // The steps inside the host, then the module, its own span in it, and the statements in that.
    for step in ["authenticate", "authorize", "rate limit"] {
        let found = named(&all, "", step);
        assert_eq!(found.len(), 1, "{step}");
        assert_eq!(found[0]["parent"], request["span_id"], "{step}");
    }
    let handler = named(&all, "blog", "handle")[0];
    assert_eq!(handler["parent"], request["span_id"]);
    let own = named(&all, "blog", "change state of post")[0];
    assert_eq!(own["parent"], handler["span_id"]);
    assert_eq!(own["attributes"]["action"], "publish");
    let update = named(&all, "blog", "UPDATE post")[0];
    assert_eq!(update["parent"], own["span_id"], "{update}");
    assert!(!named(&all, "blog", "COMMIT").is_empty());

    // The event is published in it, and each delivery is below the publishing, with its statements below itself.
    let publish = named(&all, "blog", "publish blog.post.published.v1")[0];
    assert_eq!((text(publish, "kind"), &publish["parent"]), ("producer", &own["span_id"]));
    for (module, name) in wanted {
        let delivery = named(&all, module, name)[0];
        let subject = name.trim_start_matches("process ");
        let publishing = named(&all, "blog", &format!("publish {subject}"))[0];
        assert_eq!(
            (text(delivery, "kind"), &delivery["parent"]),
            ("consumer", &publishing["span_id"]),
            "{name} in {module}"
        );
        let has_work = all
            .iter()
            .any(|span| text(span, "module") == module && is_below(&all, span, delivery) && span["error"].is_null());
        assert!(has_work, "{name} in {module} did nothing");
    }
    let billing = named(&all, "billing", wanted[0].1)[0];
    let analytics = named(&all, "analytics", wanted[1].1)[0];
    for delivery in [billing, analytics] {
        let statements = all.iter().filter(|span| is_of_database(span) && is_below(&all, span, delivery));
        assert!(statements.count() > 0, "{delivery}");
    }
    let forgets = named(&all, "blog", "process blog.post.changed.v1")[0];
    let cache = all
        .iter()
        .find(|span| text(span, "name").starts_with("cache ") && is_below(&all, span, forgets));
    assert!(cache.is_some(), "the handler of the cache did not touch it");

    // Nothing of what was written is in it, and no token; statements have their text, without arguments.
    let whole = serde_json::to_string(&all).unwrap();
    for secret in [CANARY, ada.token.as_str(), people::PASSWORD] {
        assert!(!whole.contains(secret), "a span has {secret:?}");
    }
    let sql = text(&update["attributes"], "db.query.text");
    assert!(sql.starts_with("UPDATE \"post\" SET"), "{sql}");
}

#[test]
fn a_call_from_module_to_module_is_in_the_tree_of_its_caller() {
    for mode in ["in-process", "loopback"] {
        let server = people::host(&["blog"], "", &[("WHARF_CHANNEL__MODE", mode)]);
        let (ada, post, _) = draft(&server);
        publish(&server, &ada, &post);
        let method = "wharf.identity.v1.Credentials/GetAccount";
        // A parent ends after what is below it.
        let is_whole = |spans: &Vec<Value>| !named(spans, "identity", method).is_empty() && first_spans(spans).len() == 1;
        let all = until(SOON, || spans(&server, TRACE).filter(is_whole));
        let all = all.unwrap_or_else(|| panic!("{mode}: {}", server.wharf(&["traces", "show", TRACE]).out));
        let (asked, answered) = (named(&all, "blog", method)[0], named(&all, "identity", method)[0]);
        assert_eq!(
            (text(asked, "kind"), &asked["attributes"]["wharf.callee"]),
            ("client", &json!("identity")),
            "{mode}"
        );
        assert!(is_below(&all, answered, asked), "{mode}: {answered}");
        assert_eq!(asked["attributes"]["rpc.grpc.status_code"], 0, "{mode}: {asked}");
        let reads = all.iter().filter(|span| is_of_database(span) && is_below(&all, span, answered));
        assert!(reads.count() > 0, "{mode}: identity asked no database");
    }
}

/// A collector of a test: takes spans over gRPC and keeps what it got.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportTraceServiceRequest>>>);

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        if request.metadata().get("x-scope").is_none_or(|scope| scope != "harbour") {
            return Err(Status::unauthenticated("found no scope"));
        }
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    /// On a thread of its own, until the test ends.
    fn start() -> (Self, String) {
        let collector = Self::default();
        let service = TraceServiceServer::new(collector.clone());
        let (told, address) = std::sync::mpsc::sync_channel(1);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
                told.send(incoming.local_addr().unwrap()).unwrap();
                Server::builder().add_service(service).serve_with_incoming(incoming).await
            })
        });
        let address = address.recv_timeout(SOON).unwrap();
        (collector, format!("http://{address}"))
    }

    /// Ids of the spans of a trace, with the scopes they came under.
    fn spans_of(&self, trace: &str) -> Vec<(String, String)> {
        let got = self.0.lock().unwrap();
        let scopes = got
            .iter()
            .flat_map(|request| &request.resource_spans)
            .flat_map(|resource| &resource.scope_spans);
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let of_scope = |scope: &ScopeSpans| {
            let name = scope.scope.as_ref().unwrap().name.clone();
            let spans = scope.spans.iter().filter(|span| hex(&span.trace_id) == trace);
            spans.map(|span| (hex(&span.span_id), name.clone())).collect::<Vec<_>>()
        };
        scopes.flat_map(of_scope).collect()
    }
}

#[test]
fn a_collector_gets_every_span_of_the_tree_before_the_host_has_stopped() {
    let (collector, endpoint) = Collector::start();
    let environment = [
        ("WHARF_TRACING__OTLP__ENDPOINT", endpoint.as_str()),
        ("WHARF_TRACING__OTLP__HEADERS", "x-scope=harbour"),
        // Only the end of the host, or a full batch, sends.
        ("WHARF_TRACING__OTLP__EVERY", "10m"),
    ];
    let mut server = people::host(&["blog", "analytics"], "", &environment);
    let (_, _, trace) = draft(&server);
    let settled = until(SOON, || {
        let spans = spans(&server, &trace)?;
        let is_told = !named(&spans, "blog", "process blog.post.changed.v1").is_empty();
        (is_told && first_spans(&spans).len() == 1 && server.wharf(&["events", "list", "--json"]).out.trim() == "[]").then_some(spans)
    });
    let shown = settled.unwrap_or_else(|| panic!("{}", server.wharf(&["traces", "show", &trace]).out));
    server.terminate(Duration::from_secs(30));
    let got = collector.spans_of(&trace);
    for span in &shown {
        let (id, module) = (text(span, "span_id"), text(span, "module"));
        let scope = if module.is_empty() { "wharf" } else { module };
        let came = got
            .iter()
            .filter(|(got, _)| got == id)
            .map(|(_, scope)| scope.as_str())
            .collect::<Vec<_>>();
        assert_eq!(came, [scope], "{span}");
    }
}

#[test]
fn the_command_line_finds_a_trace_by_what_the_log_prints() {
    let server = stage::server(&["lab_module"], &stage::config("", ""));
    let answer = server.get("/lab/log/one");
    assert_eq!(answer.status, 200);
    // Probes are served and logged too.
    let is_ours = |line: &str| line.contains("request served") && line.contains("/lab/log/");
    let number = server.process().wait_for_line(SOON, |_, line| is_ours(line));
    let output = server.process().output();
    let line = output.lines().nth(number.expect("the request is in the log")).unwrap();
    let line: Value = serde_json::from_str(line).unwrap();
    let id = |name: &str| {
        let value = [&line["fields"][name], &line[name]].into_iter().find_map(Value::as_str);
        value.unwrap_or_else(|| panic!("no {name} in {line}")).to_owned()
    };
    let by_trace = spans(&server, &id("trace.id")).expect("the trace of the log line");
    assert_eq!(Some(&by_trace), spans(&server, &id("request.id")).as_ref());
    let (outer, inner) = (named(&by_trace, "lab", "outer")[0], named(&by_trace, "lab", "inner")[0]);
    assert_eq!(inner["parent"], outer["span_id"]);
    assert_eq!(inner["attributes"]["depth"], 2);

    let drawn = server.wharf(&["traces", "show", &id("trace.id")]);
    assert!(drawn.code == 0 && drawn.out.contains("`- inner"), "{}", drawn.out);
    let listed = server.wharf(&["traces", "list", "--module", "lab"]);
    assert!(
        listed.out.contains(&id("trace.id")) && listed.out.contains("GET /lab/log/{tag}"),
        "{}",
        listed.out
    );
    // Probes of the host itself are no work.
    assert!(!server.wharf(&["traces", "list"]).out.contains("livez"));
    let unknown = server.wharf(&["traces", "show", TRACE, "--json"]);
    assert!(unknown.code == 5 && unknown.err.contains("trace.unknown"), "{}", unknown.err);
}

#[test]
fn a_host_that_keeps_no_traces_says_so_and_one_whose_collector_is_away_serves() {
    let quiet = TestServer::start(ServerOptions {
        modules: &["lab_module"],
        config: &stage::config("", ""),
        environment: &[("WHARF_TRACING__RECENT", "0")],
        ..ServerOptions::default()
    });
    assert_eq!(quiet.get("/lab/log/x").status, 200);
    let refused = quiet.wharf(&["traces", "list", "--json"]);
    assert!(refused.code == 5 && refused.err.contains("tracing.off"), "{}", refused.err);

    let header_file = quiet.data().join("header");
    std::fs::write(&header_file, "authorization=Bearer canary-of-a-collector\n").unwrap();
    let headers = header_file.to_str().unwrap();
    let mut away = TestServer::start(ServerOptions {
        modules: &["lab_module"],
        config: &stage::config("", ""),
        environment: &[
            ("WHARF_TRACING__OTLP__ENDPOINT", "http://127.0.0.1:9"),
            ("WHARF_TRACING__OTLP__HEADERS_FILE", headers),
            ("WHARF_TRACING__OTLP__EVERY", "20ms"),
            ("WHARF_TRACING__OTLP__QUEUE", "4"),
            ("WHARF_TRACING__SAMPLE", "1.0"),
        ],
        ..ServerOptions::default()
    });
    for _ in 0..20 {
        assert_eq!(away.get("/lab/log/x").status, 200);
    }
    let dropped = until(SOON, || {
        let page = wharf_tests::send(away.management(), "GET", "/metrics", &[], &[]).ok()?.body;
        let rows = page.lines().filter(|line| line.starts_with("wharf_traces_dropped_total"));
        let count: f64 = rows.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum();
        (count > 0.0).then_some(count)
    });
    assert!(dropped.is_some(), "nothing was counted: {}", away.process().output());
    let explained = away.wharf(&["config", "explain", "--running", "--json"]);
    assert!(!explained.out.contains("canary-of-a-collector"), "{}", explained.out);
    away.terminate(Duration::from_secs(30));
    assert!(!away.process().output().contains("canary-of-a-collector"));
}
