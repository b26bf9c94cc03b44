//! A module that calls another over gRPC: tonic client, channel, the other module's tonic service, and back.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, anyhow};
use bench_router::grpc::v1::greeter_server::GreeterServer;
use bench_router::grpc::{Answering, durations};
use http::Request;
use http_body_util::BodyExt;
use wharf_host::domain::route::Lane;
use wharf_host::http::body::Body;
use wharf_host::http::problem::{ErrorKind, Problem};
use wharf_host::http::server::{Listener, Server};
use wharf_host::modules::endpoint::{CallInfo, Endpoint, Responding};
use wharf_host::services::Channels;
use wharf_testing::TestHost;

use crate::report::Report;
use crate::side::{Rig, call_info, library};

const CALLS: usize = 20_000;
/// Each of them goes over a socket: all together must end within the time a request may take.
const CALLS_OVER_SOCKET: usize = 2_000;

/// Modules by id.
#[derive(Default)]
struct Directory(RwLock<HashMap<String, Arc<dyn Endpoint>>>);

impl Channels for Directory {
    fn call(&self, module: &str, request: Request<Body>, info: CallInfo) -> Responding {
        let request_id = info.request_id;
        let endpoint = self.0.read().unwrap_or_else(PoisonError::into_inner).get(module).cloned();
        match endpoint.map(|endpoint| endpoint.call(Lane::Grpc, request, info)) {
            Some(Ok(responding)) => responding,
            _ => {
                let detail = format!("module {module:?} is not there");
                let response = Problem::response(ErrorKind::Unavailable, &detail, &request_id, true);
                Box::pin(std::future::ready(response))
            }
        }
    }
}

/// The clock runs in the calling module, around each call of its client.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        &format!("unary gRPC call from one module to another, {CALLS} calls one after the other"),
        "wharf-bench channel",
    );
    let alone = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let alone = alone.block_on(durations(GreeterServer::new(Answering), CALLS))?;
    let at = |part: usize| alone.get(alone.len() * part / 100).copied().unwrap_or_default();
    say(
        report,
        "tonic's client straight on tonic's server, no host",
        &format!("{} {}", at(50), at(99)),
        None,
    )?;
    let directory = Arc::new(Directory::default());
    let rig = Rig::new(directory.clone())?;
    let callee: Arc<dyn Endpoint> = Arc::new(rig.load("bench_tokio")?);
    directory
        .0
        .write()
        .unwrap_or_else(PoisonError::into_inner)
        .insert("bench-tokio".to_owned(), callee);
    let caller: Arc<dyn Endpoint> = Arc::new(rig.load("bench_plain")?);
    let request = Request::get(format!("/relay/{CALLS}")).body(Body::empty())?;
    let responding = caller
        .call(Lane::Http, request, call_info())
        .map_err(|refused| anyhow!("the calling module refused: {:?}", refused.because))?;
    let body = rig.runtime.block_on(async {
        let response = responding.await;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(|e| anyhow!("{e}"))?.to_bytes();
        if !status.is_success() {
            return Err(anyhow!("the calling module answered {status}: {}", String::from_utf8_lossy(&body)));
        }
        Ok(body)
    })?;
    say(report, "in process", std::str::from_utf8(&body)?, Some(5.0))?;
    whole(report)
}

/// The same in a host with its routes and limits, in process and over a socket of its own.
fn whole(report: &mut Report) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let host = TestHost::builder()
            .library(library("bench_plain")?)
            .library(library("bench_tokio")?)
            .log("warn")
            .start()
            .await;
        let relay = format!("/bench-plain/relay/{CALLS}");
        say(report, "in a whole host, in process", &host.get(&relay).await.text(), None)?;
        let server = Server::start(Listener::bind(([127, 0, 0, 1], 0).into())?, Arc::new(host.host().gateway()), None);
        host.host().use_loopback(server.address());
        say(
            report,
            &format!("{CALLS_OVER_SOCKET} calls, in a whole host, channel.mode = \"loopback\""),
            &host.get(&format!("/bench-plain/relay/{CALLS_OVER_SOCKET}")).await.text(),
            None,
        )
    })
}

fn say(report: &mut Report, name: &str, text: &str, bar: Option<f64>) -> Result<()> {
    let times = text.trim().split_once(' ');
    let (middle, tail) = times
        .and_then(|(middle, tail)| Some((middle.parse::<f64>().ok()?, tail.parse::<f64>().ok()?)))
        .with_context(|| format!("{name}: the calling module said {text:?}"))?;
    report.figure(&format!("{name}, p50"), middle / 1e3, "us", bar, "");
    report.figure(&format!("{name}, p99"), tail / 1e3, "us", None, "");
    Ok(())
}
