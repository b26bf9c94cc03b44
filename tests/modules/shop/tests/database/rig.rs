//! Hosts with the shop.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::{Method, Request};
use wharf_host::ports::database::{Space, Usage};
use wharf_testing::{Body, TestHost};

/// Linked in, and as the library that cargo made beside this test program.
pub(crate) async fn hosts() -> [TestHost; 2] {
    [linked().await, TestHost::builder().library(library()).start().await]
}

pub(crate) async fn linked() -> TestHost {
    TestHost::builder().module(shop_module::root()).start().await
}

pub(crate) fn library() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let file = format!("{}shop_module{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = program.parent().unwrap().join(file);
    assert!(path.is_file(), "{} is not there: cargo builds it with this test", path.display());
    path
}

pub(crate) async fn space(host: &TestHost) -> Arc<dyn Space> {
    host.host().backends().databases.space("shop").await.unwrap()
}

pub(crate) fn post(path: &str) -> Request<Body> {
    Request::builder().method(Method::POST).uri(path).body(Body::empty()).unwrap()
}

/// Waits until a space is as it should be.
pub(crate) async fn until(space: &Arc<dyn Space>, what: &str, is_so: impl Fn(Usage) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !is_so(space.usage()) {
        assert!(Instant::now() < deadline, "{what}: {:?}", space.usage());
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

pub(crate) fn is_free(usage: Usage) -> bool {
    usage.transactions == 0 && usage.cursors == 0 && usage.in_use == 0
}
