//! Log levels that change at run time.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::directives::{DirectiveError, Directives};

/// The log levels of one host. Clones share them.
#[derive(Clone)]
pub struct LogControl(Arc<Inner>);

/// The level of one module, kept up to date; reading it is one relaxed load.
#[derive(Clone, Debug)]
pub struct LevelCell(Arc<AtomicU8>);

/// Keeps a callback registered; dropping it ends that.
#[must_use = "dropping it removes the callback"]
pub struct Subscription {
    control: Weak<Inner>,
    key: u64,
}

type Callback = Arc<dyn Fn(&LogControl) + Send + Sync>;

struct Inner {
    configured: ArcSwap<Directives>,
    current: ArcSwap<Directives>,
    // Held while levels are changed, so that two changes cannot leave cells of one and directives of the other.
    listeners: Mutex<Listeners>,
}

#[derive(Default)]
struct Listeners {
    cells: HashMap<String, LevelCell>,
    callbacks: Vec<(u64, Callback)>,
    next_key: u64,
}

impl LogControl {
    /// Levels as configured.
    ///
    /// # Errors
    /// [`DirectiveError`] when the text cannot be understood.
    pub fn new(directives: &str) -> Result<Self, DirectiveError> {
        let directives = Arc::new(Directives::parse(directives)?);
        Ok(Self(Arc::new(Inner {
            configured: ArcSwap::new(Arc::clone(&directives)),
            current: ArcSwap::new(directives),
            listeners: Mutex::new(Listeners::default()),
        })))
    }

    /// Lays directives over those in force; `reset` goes back to the configured ones. Returns the directives now in force.
    ///
    /// # Errors
    /// [`DirectiveError`] when the text cannot be understood; then nothing changes.
    pub fn set(&self, directives: &str) -> Result<String, DirectiveError> {
        let next = match directives.trim() {
            "reset" => self.0.configured.load_full(),
            text => Arc::new(self.0.current.load().with(text)?),
        };
        self.install(next);
        Ok(self.current())
    }

    /// Takes over directives from a configuration that was read again; levels set by hand are forgotten.
    ///
    /// # Errors
    /// [`DirectiveError`] when the text cannot be understood; then nothing changes.
    pub fn configure(&self, directives: &str) -> Result<String, DirectiveError> {
        let next = Arc::new(Directives::parse(directives)?);
        self.0.configured.store(Arc::clone(&next));
        self.install(next);
        Ok(self.current())
    }

    /// The directives in force.
    #[must_use]
    pub fn current(&self) -> String {
        self.0.current.load().to_string()
    }

    /// The most verbose level at which anything of a module is logged now.
    #[must_use]
    pub fn level_for_module(&self, id: &str) -> LevelFilter {
        self.0.current.load().level_of_module(id)
    }

    /// A cell with that level that is kept up to date. Cells of one module share one value.
    #[must_use]
    pub fn cell_for_module(&self, id: &str) -> LevelCell {
        let mut listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let level = self.0.current.load().level_of_module(id);
        listeners
            .cells
            .entry(id.to_owned())
            .or_insert_with(|| LevelCell(Arc::new(AtomicU8::new(number(level)))))
            .clone()
    }

    /// Whether one event of a module is to be logged.
    #[must_use]
    pub fn allows_module(&self, id: &str, target: &str, level: Level) -> bool {
        self.0.current.load().allows_module(id, target, level)
    }

    /// Whether one event of the host is to be logged.
    #[must_use]
    pub fn allows(&self, target: &str, level: Level) -> bool {
        self.0.current.load().allows(target, level)
    }

    /// The most verbose level of all.
    #[must_use]
    pub fn most_verbose(&self) -> LevelFilter {
        self.0.current.load().most_verbose()
    }

    /// Calls back after every change, on the thread that made it. A callback must not subscribe or unsubscribe.
    pub fn subscribe(&self, callback: impl Fn(&Self) + Send + Sync + 'static) -> Subscription {
        let mut listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
        let key = listeners.next_key;
        listeners.next_key += 1;
        listeners.callbacks.push((key, Arc::new(callback)));
        Subscription {
            control: Arc::downgrade(&self.0),
            key,
        }
    }

    fn install(&self, directives: Arc<Directives>) {
        let callbacks: Vec<Callback> = {
            let listeners = self.0.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            for (id, cell) in &listeners.cells {
                cell.0.store(number(directives.level_of_module(id)), Ordering::Relaxed);
            }
            self.0.current.store(directives);
            listeners.callbacks.iter().map(|(_, callback)| Arc::clone(callback)).collect()
        };
        // The host's own callsites remember whether they are enabled.
        tracing::callsite::rebuild_interest_cache();
        callbacks.iter().for_each(|callback| callback(self));
    }
}

impl fmt::Debug for LogControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LogControl").field(&self.current()).finish()
    }
}

impl LevelCell {
    /// Whether events of this level may be logged.
    #[must_use]
    pub fn allows(&self, level: Level) -> bool {
        number(LevelFilter::from_level(level)) <= self.0.load(Ordering::Relaxed)
    }

    /// 0 off, 1 error, 2 warn, 3 info, 4 debug, 5 trace.
    #[must_use]
    pub fn number(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    /// The shared number itself, for code that passes its address on.
    #[must_use]
    pub fn shared(&self) -> Arc<AtomicU8> {
        Arc::clone(&self.0)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Subscription").field(&self.key).finish()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if let Some(inner) = self.control.upgrade() {
            let mut listeners = inner.listeners.lock().unwrap_or_else(PoisonError::into_inner);
            listeners.callbacks.retain(|(key, _)| *key != self.key);
        }
    }
}

/// 0 off, 1 error, 2 warn, 3 info, 4 debug, 5 trace.
fn number(level: LevelFilter) -> u8 {
    match level.into_level() {
        None => 0,
        Some(Level::ERROR) => 1,
        Some(Level::WARN) => 2,
        Some(Level::INFO) => 3,
        Some(Level::DEBUG) => 4,
        Some(_) => 5,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn cells_and_callbacks_follow_every_change() {
        let control = LogControl::new("info").unwrap();
        let cell = control.cell_for_module("blog");
        assert!(cell.allows(Level::INFO) && !cell.allows(Level::DEBUG));
        let seen = Arc::new(Mutex::new(Vec::new()));
        let subscription = {
            let seen = Arc::clone(&seen);
            control.subscribe(move |c| seen.lock().unwrap().push(c.current()))
        };
        assert_eq!(control.set("blog=debug").unwrap(), "info,blog=debug");
        assert!(cell.allows(Level::DEBUG));
        assert_eq!(control.cell_for_module("other").number(), 3);
        assert_eq!(control.set("reset").unwrap(), "info");
        assert!(!cell.allows(Level::DEBUG));
        drop(subscription);
        control.set("off").unwrap();
        assert_eq!(cell.number(), 0);
        assert_eq!(*seen.lock().unwrap(), ["info,blog=debug", "info"]);
    }

    #[test]
    fn a_mistake_changes_nothing() {
        let control = LogControl::new("info").unwrap();
        assert!(control.set("debug,blog=loud").is_err());
        assert_eq!(control.current(), "info");
    }
}
