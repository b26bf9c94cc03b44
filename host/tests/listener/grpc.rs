//! gRPC with a tonic client: all four shapes, errors, deadlines, policies.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tonic::Code;
use wharf_host::domain::route::Policy;
use wharf_host::grpc::policy::methods_from_pool;
use wharf_host::http::body::Body;
use wharf_host::http::problem::{ErrorKind, Problem};
use wharf_host::http::routes::Mounted;
use wharf_host::modules::endpoint::RefusedBecause;

use crate::lab::*;
use crate::rig::*;

#[tokio::test]
async fn unary_streaming_and_bidirectional_calls_work_beside_http() {
    let host = Host::start(vec![
        lab(&Alive::default()),
        module("greeter", vec![route("GET", "/")], mirror("greeter")),
    ]);
    let mut client = LabClient::connect(host.address).await;
    let answer = client.unary("/lab.v1.Lab/Echo", note("hello"), None).await.unwrap();
    assert_eq!(answer.metadata().get("x-color-seen").unwrap(), "red");
    assert_eq!(answer.get_ref().text, "hello");

    let counted: Vec<_> = client
        .count(
            Note {
                big: 1000,
                ..Note::default()
            },
            None,
        )
        .await
        .unwrap()
        .map(|item| item.unwrap().text)
        .collect()
        .await;
    assert_eq!(counted.len(), 1000);

    let (say, said) = tokio::sync::mpsc::channel(1);
    let mut heard = client.chat(tokio_stream::wrappers::ReceiverStream::new(said)).await.unwrap();
    for word in ["one", "two"] {
        say.send(note(word)).await.unwrap();
        assert_eq!(
            soon("an echo", heard.message()).await.unwrap().unwrap().text,
            format!("you said {word}")
        );
    }
    drop(say);
    assert!(soon("the end", heard.message()).await.unwrap().is_none());

    assert_eq!(Client::http1(host.address).await.get("/greeter").await.0, 200);
    let seen = host
        .sees("the chat is recorded", |seen| seen.route.as_deref() == Some("/lab.v1.Lab/Chat"))
        .await;
    assert_eq!((seen.status, seen.grpc, seen.complete), (200, Some(0), true));
}

#[tokio::test]
async fn statuses_arrive_in_trailers_and_after_a_stream() {
    let host = Host::start(vec![lab(&Alive::default())]);
    let mut client = LabClient::connect(host.address).await;
    let status = client.unary("/lab.v1.Lab/Fail", note("x"), None).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::FailedPrecondition, "no: x 100%"));
    let mut stream = client.count(Note { big: 2, ..note("fail") }, None).await.unwrap();
    assert!(stream.message().await.unwrap().is_some());
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!(stream.message().await.unwrap_err().code(), Code::DataLoss);
    host.sees("the failure is recorded", |seen| seen.grpc == Some(15)).await;
}

#[tokio::test]
async fn what_the_host_refuses_is_a_grpc_status_too() {
    let panicked =
        endpoint(|_, _, info| async move { Problem::response(ErrorKind::Panicked, "the module panicked", &info.request_id, true) });
    let broken = Mounted {
        prefix: None,
        grpc: vec![grpc_method("broken.v1.Broken", "Call")],
        ..module("broken", Vec::new(), panicked)
    };
    let busy = endpoint(|_, _, _| async { text("never") });
    *busy.refuse.lock().unwrap() = Some(RefusedBecause::Busy);
    let busy = Mounted {
        prefix: None,
        grpc: vec![grpc_method("busy.v1.Busy", "Call")],
        ..module("busy", Vec::new(), busy)
    };
    let host = Host::start(vec![lab(&Alive::default()), broken, busy]);
    let mut client = LabClient::connect(host.address).await;
    for (method, code) in [
        ("/lab.v1.Lab/Nothing", Code::Unimplemented),
        ("/no.v1.Such/Method", Code::Unimplemented),
        ("/lab.v1.Lab/Secret", Code::Unauthenticated),
        ("/broken.v1.Broken/Call", Code::Internal),
        ("/busy.v1.Busy/Call", Code::ResourceExhausted),
    ] {
        assert_eq!(client.unary(method, note("x"), None).await.unwrap_err().code(), code, "{method}");
    }
}

#[tokio::test]
async fn a_grpc_call_that_is_no_post_never_reaches_a_module() {
    let host = Host::start(vec![lab(&Alive::default())]);
    let request = http::Request::builder()
        .uri("/lab.v1.Lab/Echo")
        .header("content-type", "application/grpc")
        .body(full(""))
        .unwrap();
    let (status, headers, _) = whole(Client::http2(host.address).await.send(request).await).await;
    assert_eq!(
        (status.as_u16(), &headers["grpc-status"]),
        (200, &http::HeaderValue::from_static("12"))
    );
}

#[tokio::test]
async fn a_callers_deadline_ends_a_call_before_and_within_its_stream() {
    let alive = Alive::default();
    let host = Host::start(vec![lab(&alive)]);
    let mut client = LabClient::connect(host.address).await;
    let started = Instant::now();
    let status = client
        .unary("/lab.v1.Lab/Echo", note("hang"), Some(Duration::from_millis(50)))
        .await
        .unwrap_err();
    assert!(matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled), "{status:?}");
    let mut stream = client
        .count(Note { big: 1, ..note("hang") }, Some(Duration::from_millis(100)))
        .await
        .unwrap();
    assert!(stream.message().await.unwrap().is_some());
    let status = soon("the deadline", stream.message()).await.unwrap_err();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!(started.elapsed() < SOON);
    until("the stream is dropped", || (alive.count() == 0).then_some(())).await;
    host.sees("the deadline is recorded", |seen| seen.grpc == Some(4)).await;
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_modules_stream() {
    let alive = Alive::default();
    let host = Host::start(vec![lab(&alive)]);
    let mut client = LabClient::connect(host.address).await;
    let mut stream = client.count(Note { big: 1, ..note("hang") }, None).await.unwrap();
    assert!(stream.message().await.unwrap().is_some());
    assert_eq!(alive.count(), 1);
    drop(stream);
    until("the stream is dropped", || (alive.count() == 0).then_some(())).await;
    let seen = host.sees("the call is recorded", |seen| seen.route.is_some()).await;
    assert!(!seen.complete);
}

#[tokio::test]
async fn a_stream_that_breaks_in_a_module_ends_with_status_13() {
    let breaking = endpoint(|_, _, _| async {
        let one = [0, 0, 0, 0, 3, 10, 1, b'x'];
        let frames = stream::iter([Ok(http_body::Frame::data(bytes::Bytes::copy_from_slice(&one))), Err("broken")]);
        let mut response = http::Response::new(Body::new(http_body_util::StreamBody::new(frames)));
        response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
        response
    });
    let module = Mounted {
        prefix: None,
        grpc: vec![grpc_method("lab.v1.Lab", "Count")],
        ..module("lab", Vec::new(), breaking)
    };
    let host = Host::start(vec![module]);
    let mut stream = LabClient::connect(host.address).await.count(note(""), None).await.unwrap();
    assert_eq!(stream.message().await.unwrap().unwrap().text, "x");
    assert_eq!(soon("the end", stream.message()).await.unwrap_err().code(), Code::Internal);
}

#[test]
fn policies_are_read_from_descriptors() {
    let methods = methods_from_pool(&pool(), &["lab.v1.Lab".to_owned()]).unwrap();
    let found: Vec<_> = methods
        .iter()
        .map(|method| (method.method.as_str(), method.policy.clone(), method.rate_class.as_deref()))
        .collect();
    assert_eq!(
        found,
        [
            ("Echo", Policy::Public, None),
            ("Fail", Policy::Public, Some("slow")),
            ("Count", Policy::Public, None),
            ("Chat", Policy::Public, None),
            ("Secret", Policy::Require("lab.secret.read".to_owned()), None),
        ]
    );
}

#[test]
fn a_method_without_a_clear_policy_is_a_finding() {
    let findings = methods_from_pool(&pool(), &["lab.v1.Careless".to_owned(), "lab.v1.Missing".to_owned()]).unwrap_err();
    let found: Vec<_> = findings
        .iter()
        .map(|finding| (finding.code.as_str(), finding.what.as_str()))
        .collect();
    let expected = "expected one of public, authenticated, require";
    assert_eq!(found.len(), 4);
    for (place, start) in [
        "found no option (wharf.options.v1.policy) on gRPC method lab.v1.Careless/Open",
        "found a policy without its kind on gRPC method lab.v1.Careless/Half",
        "found `public: false` on gRPC method lab.v1.Careless/Never",
    ]
    .into_iter()
    .enumerate()
    {
        assert_eq!(found[place], ("manifest.grpc-policy", format!("{start}, {expected}").as_str()));
    }
    assert_eq!(found[3].0, "manifest.grpc-service");
}
