//! Opens and creates without the stages before, so that what only they would stop can be seen too.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempDir;
use wharf_host::http::routes::Routes;
use wharf_host::modules::instance::Instance;
use wharf_host::modules::mesh::Mesh;
use wharf_host::modules::open::{Image, OpenError, Opening, open};
use wharf_host::modules::standing::{Limits, Standing, Who};
use wharf_host::security::NoRules;
use wharf_host::services::{Backends, Provider, Shared, Spans, Work, WorkSettings};
use wharf_host::telemetry::{LogControl, LogSink, Metrics, ModuleLog};
use wharf_manifest::Manifest;
use wharf_plugin_api::Fault;
use wharf_plugin_api::module::ModuleRef;

/// Stage 6 alone, on a copy under a name of its own.
pub(crate) fn open_alone(library: &Path, manifest: &Manifest) -> Result<Image, OpenError> {
    static COPIES: AtomicU64 = AtomicU64::new(0);
    let folder = TempDir::new().unwrap();
    let copy = folder.path().join(format!("copy-{}.so", COPIES.fetch_add(1, Ordering::Relaxed)));
    std::fs::copy(library, &copy).unwrap();
    open(&Opening {
        copy: &copy,
        manifest,
        descriptors: &[],
        reserve_thread_keys: 16,
    })
}

/// Stage 7 alone.
pub(crate) async fn create_alone(image: &Image, section: &str) -> Result<Arc<Instance>, Fault> {
    Instance::create(image.clone(), section.to_owned(), &shared(), Limits::default()).await
}

/// The module's own object, for asking what the host never asks.
pub(crate) async fn module_of(image: &Image) -> ModuleRef {
    let who = Who {
        module: image.manifest.id.clone(),
        version: image.manifest.version.to_string(),
        generation: image.generation,
        instance: 1,
    };
    let standing = Standing::new(who, Limits::default());
    let provider = Provider::new(standing, image.manifest.clone(), "{}".to_owned(), shared());
    (image.root.create())(provider.host_ref(), image.linkage).await.unwrap()
}

fn shared() -> Shared {
    let (sink, _) = LogSink::capture();
    let (mut backends, metrics) = (Backends::in_memory(), Metrics::new().unwrap());
    let work = Work::on(&mut backends, "test", &metrics, WorkSettings::default());
    Shared {
        node: "test".to_owned(),
        log: ModuleLog::new(LogControl::new("trace").unwrap(), sink),
        spans: Arc::new(Spans::default()),
        metrics,
        channels: Arc::new(Mesh::new(Arc::new(Routes::new()), Arc::new(NoRules))),
        authorizer: Arc::new(NoRules),
        error_sinks: Vec::new(),
        backends,
        work,
        runtime: tokio::runtime::Handle::current(),
    }
}
