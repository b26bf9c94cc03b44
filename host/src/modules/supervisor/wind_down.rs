//! The end of an instance: drain, stop, drop, each with a deadline; and the end of all of them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::bring_up::within;
use super::slot::{Running, Slot};
use super::{Settings, Supervisor};
use crate::domain::status::State;
use crate::modules::standing::Gate;

impl Supervisor {
    /// Ends an instance that is out of the route table, in the background.
    pub(super) fn wind_down(&self, running: Arc<Running>, why: &'static str) -> JoinHandle<bool> {
        let settings = self.settings();
        self.0
            .shared
            .runtime
            .spawn(async move { end(running, &settings, settings.drain, why).await })
    }

    /// Takes a module out of the table and ends it.
    pub(super) async fn take_down(&self, slot: &Arc<Slot>, state: State, why: &str) {
        self.note(slot, State::Draining, "");
        let Some(before) = slot.put(None) else { return };
        match self.table(&slot.id, None) {
            Ok(table) => drop(self.0.routes.swap(table)),
            Err(findings) => tracing::error!(module.id = slot.id, ?findings, "the route table could not be made"),
        }
        let settings = self.settings();
        end(before, &settings, settings.drain, "it was taken down").await;
        slot.set_health("unknown");
        self.note(slot, State::Stopped, "");
        if state != State::Stopped {
            self.note(slot, state, why);
        }
    }

    /// Ends everything in reverse order of its dependencies, by the deadline. Returns the modules that did not end cleanly.
    pub async fn shut_down(&self, deadline: Instant) -> Vec<String> {
        self.set_unready();
        let _changing = self.0.changing.lock().await;
        let mut left = self.running();
        let mut unclean = Vec::new();
        let mut settings = (*self.settings()).clone();
        while !left.is_empty() {
            // Those that nobody needs any more, all at once.
            let needed: Vec<String> = left
                .iter()
                .flat_map(|(_, r)| r.instance.image.manifest.modules.keys().cloned())
                .collect();
            let (mut free, mut rest): (Vec<_>, Vec<_>) = left.into_iter().partition(|(slot, _)| !needed.contains(&slot.id));
            if free.is_empty() {
                std::mem::swap(&mut free, &mut rest);
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            settings.drain = settings.drain.min(remaining);
            settings.stop = settings.stop.min(remaining);
            let ends = free.iter().map(|(slot, running)| {
                let settings = &settings;
                async move {
                    self.note(slot, State::Draining, "the host shuts down");
                    running.instance.standing.set_gate(Gate::Draining);
                    let clean = end(running.clone(), settings, settings.drain, "the host shuts down").await;
                    slot.put(None);
                    self.note(slot, State::Stopped, "");
                    (slot.id.clone(), clean)
                }
            });
            unclean.extend(
                futures_util::future::join_all(ends)
                    .await
                    .into_iter()
                    .filter(|(_, clean)| !clean)
                    .map(|(id, _)| id),
            );
            left = rest;
        }
        unclean
    }
}

/// Drains, stops and drops. Returns whether each ended by itself.
pub(super) async fn end(running: Arc<Running>, settings: &Settings, drain: Duration, why: &str) -> bool {
    let standing = running.instance.standing.clone();
    let mut clean = true;
    if standing.gate() == Gate::Quarantined {
        running.instance.finish_work(Duration::ZERO).await;
    } else {
        standing.set_gate(Gate::Draining);
        let (calls, work) =
            futures_util::future::join(tokio::time::timeout(drain, standing.idle()), running.instance.finish_work(drain)).await;
        clean = calls.is_ok();
        if !work {
            tracing::warn!(
                module.id = standing.who.module,
                module.instance = standing.who.instance,
                why,
                "events or jobs under way were cut and handed over"
            );
        }
    }
    if !clean {
        let left = standing.in_flight();
        tracing::warn!(
            module.id = standing.who.module,
            module.instance = standing.who.instance,
            calls = left,
            why,
            "calls were cut: they did not end within the drain time"
        );
    }
    standing.set_gate(Gate::Cut);
    let stopping = running.instance.clone();
    if let Err(fault) = within(settings.stop, "stop", async move { stopping.stop().await }).await {
        clean = false;
        tracing::warn!(module.id = standing.who.module, module.instance = standing.who.instance, error = %fault, "a module did not stop cleanly");
        standing.message("error", format!("stop: {fault}"));
    }
    // Calls that were cut let go of the instance at their next poll; its drop runs on a thread that may be lost, which has
    // the last hold on it unless somebody still looks at an old route table.
    let (done, dropped) = oneshot::channel();
    let thread = std::thread::Builder::new().name("wharf-retire".to_owned()).spawn(move || {
        running.instance.retire();
        drop(running);
        let _ = done.send(());
    });
    if thread.is_err() || tokio::time::timeout(settings.stop, dropped).await.is_err() {
        clean = false;
        tracing::error!(
            module.id = standing.who.module,
            module.instance = standing.who.instance,
            "the drop of a module does not end; its thread is lost"
        );
        standing.message("error", "its drop did not end");
    }
    clean
}
