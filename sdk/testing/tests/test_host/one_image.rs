//! Eight instances of one loaded library: one copy of the SDK's code and statics for all of them (invariant 10).

use std::sync::Arc;
use std::time::Duration;

use http::Request;
use http_body_util::BodyExt as _;
use tempfile::TempDir;
use tokio::task::JoinSet;
use wharf_host::HOST_ABI;
use wharf_host::domain::route::Lane;
use wharf_host::http::request_id::RequestId;
use wharf_host::http::routes::Routes;
use wharf_host::modules::endpoint::{CallInfo, Endpoint};
use wharf_host::modules::inspect::InspectRules;
use wharf_host::modules::instance::Instance;
use wharf_host::modules::mesh::Mesh;
use wharf_host::modules::open::{Image, Opening, open};
use wharf_host::modules::os::Target;
use wharf_host::modules::place::{Folder, PlaceRules, PrivateFolder};
use wharf_host::modules::standing::Limits;
use wharf_host::modules::trust::{TrustMode, TrustPolicy};
use wharf_host::modules::verify::{Candidate, VerifyContext};
use wharf_host::security::{NoRules, Principal};
use wharf_host::services::{Backends, Shared, Spans, Work, WorkSettings};
use wharf_host::telemetry::{Captured, LogControl, LogSink, Metrics, ModuleLog};
use wharf_testing::Body;

use crate::library::library;

const INSTANCES: usize = 8;
const CALLS: usize = 25;

/// Stages 1 to 6, once.
fn image(folder: &TempDir) -> Image {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.path().join("greeter.so");
    std::fs::copy(library("greeter"), &file).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700)).unwrap();
    let context = VerifyContext {
        place: PlaceRules::default(),
        trust: Arc::new(TrustPolicy {
            mode: TrustMode::Any,
            ..TrustPolicy::default()
        }),
        inspect: InspectRules::default(),
        abi: HOST_ABI,
        services: wharf_plugin_api::services::ALL
            .iter()
            .map(|(name, major)| ((*name).to_owned(), [u32::from(*major)].into()))
            .collect(),
        configs: Default::default(),
        now: "2026-06-01T12:00:00Z".parse().unwrap(),
    };
    let from = Folder::open(folder.path(), &context.place).unwrap();
    let checked = Candidate::new(&from, "greeter.so".as_ref()).check(&context).unwrap();
    let private = PrivateFolder::create(&folder.path().join("images"), Target::HOST.library_suffix()).unwrap();
    let verified = checked.store(&private).unwrap();
    open(&Opening {
        copy: &verified.copy,
        manifest: &verified.manifest,
        descriptors: &verified.descriptors,
        reserve_thread_keys: 16,
    })
    .unwrap()
}

/// Each instance has a stream of its own, so that an event in the wrong one is seen.
fn shared(sink: LogSink) -> Shared {
    let mut backends = Backends::in_memory();
    let metrics = Metrics::new().unwrap();
    Shared {
        work: Work::on(&mut backends, "test", &metrics, WorkSettings::default()),
        node: "test".to_owned(),
        log: ModuleLog::new(LogControl::new("trace").unwrap(), sink),
        spans: Arc::new(Spans::default()),
        metrics,
        channels: Arc::new(Mesh::new(Arc::new(Routes::new()), Arc::new(NoRules))),
        authorizer: Arc::new(NoRules),
        error_sinks: Vec::new(),
        backends,
        runtime: tokio::runtime::Handle::current(),
    }
}

async fn greet(instance: &Arc<Instance>, name: &str) -> (RequestId, String) {
    let info = CallInfo {
        request_id: RequestId::random(),
        trace_id: [0; 16],
        span_id: [0; 8],
        trace_flags: 0,
        peer: None,
        deadline: None,
        deadline_is_named: false,
        caller: None,
        principal: Principal::Anonymous,
        belongings: wharf_host::modules::belongings::Belongings::default(),
    };
    let id = info.request_id;
    let request = Request::get(format!("/hello/{name}")).body(Body::empty()).unwrap();
    let Ok(answering) = instance.call(Lane::Http, request, info) else {
        panic!("the instance took no call")
    };
    let body = answering.await.into_body().collect().await.unwrap().to_bytes();
    (id, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_instances_of_one_loaded_library_stay_apart() {
    let folder = TempDir::new().unwrap();
    let image = image(&folder);
    let mut instances: Vec<(Arc<Instance>, Captured)> = Vec::new();
    for index in 0..INSTANCES {
        let (sink, captured) = LogSink::capture();
        let section = format!("{{\"greeting\": \"Word {index}\"}}");
        let limits = Limits::default();
        let instance = Instance::create(image.clone(), section, &shared(sink), limits).await.unwrap();
        instance.start().await.unwrap();
        instances.push((instance, captured));
    }
    let mut calls = JoinSet::new();
    for (index, (instance, captured)) in instances.iter().enumerate() {
        for call in 0..CALLS {
            let (instance, captured) = (instance.clone(), captured.clone());
            calls.spawn(async move {
                let name = "x".repeat(call + 1);
                let (id, said) = greet(&instance, &name).await;
                assert_eq!(said, format!("{{\"message\":\"Word {index}, {name}!\"}}"));
                let mine = |e: &wharf_testing::CapturedEvent| e.request_id.as_deref() == Some(id.as_str());
                let event = captured.wait_for(Duration::from_secs(10), mine).await.unwrap();
                assert_eq!(event.fields["name.length"], call as u64 + 1);
            });
        }
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    for (instance, captured) in &instances {
        let who = &instance.standing.who;
        assert_eq!(who.generation, image.generation, "one image");
        let events = captured.events();
        assert_eq!(events.iter().filter(|e| e.message == "greeting somebody").count(), CALLS);
        assert!(
            events.iter().all(|e| e.instance == Some(who.instance)),
            "events of another instance"
        );
    }
    // The end of one leaves the others alone.
    let (first, others) = instances.split_first().unwrap();
    first.0.stop().await.unwrap();
    let ending = first.0.clone();
    tokio::task::spawn_blocking(move || ending.retire()).await.unwrap();
    for (index, (instance, _)) in others.iter().enumerate() {
        let (_, said) = greet(instance, "Ada").await;
        assert_eq!(said, format!("{{\"message\":\"Word {}, Ada!\"}}", index + 1));
    }
}
