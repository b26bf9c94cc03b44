//! Probes, metrics and routers of the host's own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::routing::get;
use wharf_host::domain::status::{HostStatus, Linkage, ModuleStatus, State};
use wharf_host::http::gateway::Limits;
use wharf_host::http::management::{Metrics, Mount, Probes};
use wharf_host::modules::control::{Answer, Control, ControlError, PinnedBuild, Plan, RouteRow};

use crate::rig::*;

struct Fixed {
    ready: AtomicBool,
}

fn blog() -> ModuleStatus {
    ModuleStatus {
        id: "blog".to_owned(),
        version: "1.2.0".to_owned(),
        description: String::new(),
        state: State::Quarantined,
        since: jiff::Timestamp::UNIX_EPOCH,
        linkage: Linkage::Dynamic,
        placement: "in-process".to_owned(),
        generation: 1,
        instance: 1,
        hash: None,
        file: None,
        prefix: None,
        grpc_services: Vec::new(),
        requires: Vec::new(),
        asks: Vec::new(),
        degraded: vec!["identity".to_owned()],
        health: "unknown".to_owned(),
        calls: 0,
        in_flight: 0,
        errors: 0,
        panics: 0,
        memory_bytes: None,
        desired: Default::default(),
        messages: Vec::new(),
    }
}

fn not_here<T: Send + 'static>() -> Answer<'static, T> {
    let error = ControlError {
        code: "internal".to_owned(),
        message: "not in this test".to_owned(),
        hint: String::new(),
        findings: Vec::new(),
    };
    Box::pin(std::future::ready(Err(error)))
}

impl Control for Fixed {
    fn status(&self) -> Answer<'_, HostStatus> {
        Box::pin(std::future::ready(Ok(HostStatus {
            node: "node-1".to_owned(),
            pid: 1,
            version: "0.1.0".to_owned(),
            abi: "1.0".to_owned(),
            started: jiff::Timestamp::UNIX_EPOCH,
            ready: self.ready.load(Ordering::SeqCst),
            generations_loaded: 0,
            thread_keys_left: 0,
            private_bytes: 0,
            modules: vec![
                ModuleStatus {
                    id: "auth".to_owned(),
                    state: State::Running,
                    degraded: Vec::new(),
                    ..blog()
                },
                blog(),
            ],
        })))
    }
    fn module<'a>(&'a self, _: &'a str) -> Answer<'a, ModuleStatus> {
        not_here()
    }
    fn plan(&self) -> Answer<'_, Plan> {
        not_here()
    }
    fn enable<'a>(&'a self, _: &'a str) -> Answer<'a, ModuleStatus> {
        not_here()
    }
    fn disable<'a>(&'a self, _: &'a str, _: bool) -> Answer<'a, ModuleStatus> {
        not_here()
    }
    fn pin<'a>(&'a self, _: &'a str, _: PinnedBuild) -> Answer<'a, ModuleStatus> {
        not_here()
    }
    fn reload<'a>(&'a self, _: &'a str) -> Answer<'a, ModuleStatus> {
        not_here()
    }
    fn rescan(&self) -> Answer<'_, Plan> {
        not_here()
    }
    fn routes(&self) -> Answer<'_, Vec<RouteRow>> {
        not_here()
    }
    fn set_log<'a>(&'a self, _: &'a str) -> Answer<'a, String> {
        not_here()
    }
}

#[tokio::test]
async fn probes_say_ready_and_only_management_says_more() {
    let control = Arc::new(Fixed {
        ready: AtomicBool::new(false),
    });
    let public = Host::with(Vec::new(), Limits::default(), |gateway| {
        gateway.with_local(Arc::new(Probes::new(control.clone())))
    });
    let inside = Host::with(Vec::new(), Limits::default(), |gateway| {
        gateway
            .with_local(Arc::new(Probes::verbose(control.clone())))
            .with_local(Arc::new(Metrics::new(|| "wharf_up 1\n".to_owned())))
    });
    let (mut public, mut inside) = (Client::http1(public.address).await, Client::http1(inside.address).await);
    for client in [&mut public, &mut inside] {
        assert_eq!(client.get("/livez").await.0, 200);
        let (status, _, body) = client.get("/readyz").await;
        assert_eq!((status.as_u16(), body.as_str()), (503, "not ready\n"));
    }
    control.ready.store(true, Ordering::SeqCst);
    assert_eq!(public.get("/readyz?verbose").await.2, "ok\n");
    let (status, _, body) = inside.get("/readyz?verbose").await;
    assert_eq!(status, 200);
    assert_eq!(
        body,
        "[+]host node-1 0.1.0\n[+]auth 1.2.0 running, health unknown\n\
         [-]blog 1.2.0 quarantined, health unknown, degraded without identity\nok\n"
    );
    assert_eq!(public.get("/metrics").await.0, 404);
    let (status, headers, body) = inside.get("/metrics").await;
    assert_eq!((status.as_u16(), body.as_str()), (200, "wharf_up 1\n"));
    assert_eq!(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
}

#[tokio::test]
async fn a_router_of_the_hosts_own_is_served_below_its_prefix() {
    let router = axum::Router::new()
        .route("/", get(async || "root"))
        .route("/x", get(async |uri: http::Uri| uri.to_string()));
    let host = Host::with(Vec::new(), Limits::default(), |gateway| {
        gateway.with_local(Arc::new(Mount::new("/admin", router)))
    });
    let mut client = Client::http1(host.address).await;
    assert_eq!(client.get("/admin").await.2, "root");
    assert_eq!(client.get("/admin/x?y").await.2, "/x?y");
    assert_eq!(client.get("/adminx").await.0, 404);
}
