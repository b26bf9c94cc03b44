//! What exists once for each shared library: tracing's dispatcher and the panic hook.
//!
//! This is not state of modules: both only find out who is running on the thread and pass on to that instance. A module
//! that is linked in has neither; its program has them.

use std::panic::PanicHookInfo;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::RArc;
use wharf_plugin_api::guard::{guard_drop, payload_message};
use wharf_plugin_api::root::Linkage;
use wharf_plugin_api::services::log::{Level, LevelChanged, LevelChanged_TO};

use super::core::{Core, Tasks};
use super::{forward, scope};

/// Instances of this library, to know the most detailed level that any of them wants.
static INSTANCES: Mutex<Vec<Weak<Core>>> = Mutex::new(Vec::new());
static INSTALL: Once = Once::new();

/// Connects a new instance with what the library has once.
pub(crate) fn adopt(core: &Arc<Core>) {
    if core.linkage == Linkage::STATIC {
        return;
    }
    #[allow(clippy::disallowed_methods, reason = "a library has a hook of its own; the program's is another")]
    INSTALL.call_once(|| {
        std::panic::set_hook(Box::new(report_panic));
        // An author who sets a dispatcher of their own keeps it.
        drop(tracing::subscriber::set_global_default(forward::Forward::default()));
    });
    let mut instances = INSTANCES.lock().unwrap_or_else(PoisonError::into_inner);
    instances.retain(|known| known.strong_count() > 0);
    instances.push(Arc::downgrade(core));
    drop(instances);
    if let Some(log) = &core.log {
        log.watch_level(LevelChanged_TO::from_ptr(RArc::new(Watch(Arc::downgrade(core))), TD_Opaque));
    }
}

struct Watch(Weak<Core>);

impl LevelChanged for Watch {
    fn level(&self, level: Level) {
        guard_drop(|| {
            if let Some(core) = self.0.upgrade() {
                core.level.store(level.0, Ordering::Relaxed);
            }
            let instances = INSTANCES.lock().unwrap_or_else(PoisonError::into_inner);
            let most = instances
                .iter()
                .filter_map(Weak::upgrade)
                .map(|core| core.level.load(Ordering::Relaxed))
                .max();
            drop(instances);
            forward::set_max_level(most.unwrap_or(0));
        });
    }
}

/// Sends message and place to the host. No backtrace: each library has a symbol cache of its own, which costs tens of
/// megabytes when it is first used.
fn report_panic(info: &PanicHookInfo<'_>) {
    guard_drop(|| {
        let mut message = payload_message(info.payload());
        let (file, line) = info.location().map_or(("", 0), |place| (place.file(), place.line()));
        let told = scope::current_core(|core| {
            if matches!(core.runtime, Tasks::Host(_)) && message.contains("no reactor running") {
                message.push_str(" (this module has runtime = \"none\"; write runtime = \"tokio\" in wharf.toml to use tokio's timers, sockets and spawn)");
            }
            if let Some(log) = &core.log {
                log.panicked(message.as_str().into(), file.into(), line);
            }
        });
        if told.is_none() {
            use std::io::Write;
            drop(writeln!(
                std::io::stderr(),
                "a thread of a module that no instance claims panicked at {file}:{line}: {message}"
            ));
        }
    });
}
