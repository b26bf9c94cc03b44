//! A module that calls another over gRPC: tonic client, channel, the other module's tonic service, and back.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use anyhow::{Context, Result, anyhow};
use http::Request;
use http_body_util::BodyExt;
use wharf_host::domain::route::Lane;
use wharf_host::http::body::Body;
use wharf_host::http::problem::{ErrorKind, Problem};
use wharf_host::modules::endpoint::{CallInfo, Endpoint, Responding};
use wharf_host::services::Channels;

use crate::report::Report;
use crate::side::{Rig, call_info};

const CALLS: usize = 20_000;

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
    let text = std::str::from_utf8(&body)?;
    let (middle, tail) = text.trim().split_once(' ').context("the calling module said something else")?;
    report.figure("in process, p50", middle.parse::<f64>()? / 1e3, "us", Some(5.0), "");
    report.figure("in process, p99", tail.parse::<f64>()? / 1e3, "us", None, "");
    report.hole("the same call with channel.mode = \"loopback\": this program starts no listener for it");
    Ok(())
}
