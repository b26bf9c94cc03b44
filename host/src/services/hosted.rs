//! Work for modules on the host's runtime: whoever polls the future a module holds may be on any thread.

use std::future::Future;
use std::sync::Arc;

use tokio::task::JoinHandle;
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::{Fault, FaultCode};

use super::Inner;

/// A task that ends with whoever waits for it.
struct Hosted<T>(JoinHandle<T>);

impl<T> Drop for Hosted<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Runs `work` on the host's runtime. Dropping the future drops the work.
pub(super) fn on_host<T, F>(inner: &Arc<Inner>, work: F) -> FfiFuture<T>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Fault>> + Send + 'static,
{
    let mut hosted = Hosted(inner.shared.runtime.spawn(work));
    FfiFuture::new(async move {
        match (&mut hosted.0).await {
            Ok(done) => done,
            Err(error) if error.is_panic() => Err(Fault::new(FaultCode::PANICKED, "the host panicked while it worked for the module")),
            Err(_) => Err(Fault::new(FaultCode::STOPPED, "the host is stopping")),
        }
    })
}
