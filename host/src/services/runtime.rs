//! `runtime`: sleep and spawn on the host's runtime.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::AbortHandle;
use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::RArc;
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::runtime::{Runtime, Runtime_TO, RuntimeRef};
use wharf_plugin_api::{Fault, FaultCode, guard};

use super::{Inner, stopped};
use crate::modules::visiting::Visiting;

/// Tasks of an instance, dropped with it.
#[derive(Default)]
pub(super) struct TaskSet {
    next: AtomicU64,
    /// `None` once the instance has ended.
    running: Mutex<Option<HashMap<u64, AbortHandle>>>,
}

impl TaskSet {
    pub(super) fn abort_all(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        for task in running.into_iter().flatten() {
            task.1.abort();
        }
    }

    fn end(&self, id: u64) {
        if let Some(running) = self.running.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            running.remove(&id);
        }
    }
}

#[derive(Clone)]
struct HostRuntime(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> RuntimeRef {
    inner
        .runtime
        .running
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .get_or_insert_default();
    Runtime_TO::from_ptr(RArc::new(HostRuntime(inner.clone())), TD_Opaque)
}

impl Runtime for HostRuntime {
    fn sleep(&self, milliseconds: u64) -> FfiFuture<()> {
        let (inner, handle) = (self.0.clone(), self.0.shared.runtime.clone());
        guard(|| {
            let _entered = handle.enter();
            let sleep = tokio::time::sleep(Duration::from_millis(milliseconds.min(365 * 24 * 3600 * 1000)));
            FfiFuture::new(async move {
                sleep.await;
                if inner.standing.is_retired() { Err(stopped()) } else { Ok(()) }
            })
        })
        .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }

    fn spawn(&self, task: FfiFuture<()>) -> FfiFuture<()> {
        guard(|| {
            let inner = self.0.clone();
            let tasks = inner.runtime.clone();
            let mut running = tasks.running.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(map) = running.as_mut().filter(|_| !inner.standing.is_retired()) else {
                return FfiFuture::ready(Err(stopped()));
            };
            let id = tasks.next.fetch_add(1, Ordering::Relaxed);
            let visiting = Visiting::on_worker(inner.standing.clone(), task);
            let join = inner.shared.runtime.spawn({
                let tasks = tasks.clone();
                async move {
                    let result = visiting.await;
                    tasks.end(id);
                    result
                }
            });
            map.insert(id, join.abort_handle());
            drop(running);
            FfiFuture::new(async move {
                match join.await {
                    Ok(result) => result,
                    Err(error) if error.is_cancelled() => Err(stopped()),
                    Err(error) => Err(Fault::new(FaultCode::CANCELLED, format!("the task ended: {error}"))),
                }
            })
        })
        .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }
}
