//! Named places where a test can kill the process, make it fail or hold it up.
//!
//! `WHARF_FAILPOINT="events.relay.written=kill"` names one place and what happens there: `kill` ends the process at once as
//! SIGKILL does, `error` makes the step fail, `pause` holds it for ever. A number in front (`3*kill`) lets the place pass
//! that many times first, `@MODULE` after the place means only what is done for that module, where the place knows it. Builds
//! without debug assertions have none of this.

/// All places, in the order in which work passes them. A test walks this list and fails on one it has no case for.
pub const ALL: &[&str] = &[
    "events.publish",
    "events.outbox.committed",
    "events.relay.written",
    "events.relay.marked",
    "events.receive.written",
    "events.handle.before",
    "events.handle.effects",
    "events.inbox.committed",
    "database.committing",
    "database.committed",
    "jobs.leased",
    "jobs.ran",
    "jobs.recorded",
    "migrations.written",
    "migrations.committed",
    "secrets.sealed",
    "mail.queued",
    "mail.sending",
    "mail.sent",
];

/// What [`hit`] says when a test makes a step fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injected(pub &'static str);

impl std::fmt::Display for Injected {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "failpoint {} was told to fail", self.0)
    }
}

impl std::error::Error for Injected {}

/// Passes, unless a test wants something else at this place.
///
/// # Errors
/// [`Injected`] when it was told to fail.
#[inline]
pub async fn hit(place: &'static str) -> Result<(), Injected> {
    hit_for(place, "").await
}

/// The same, for a module.
///
/// # Errors
/// [`Injected`] when it was told to fail.
#[inline]
#[cfg_attr(
    not(debug_assertions),
    allow(unused_variables, reason = "nothing passes in a build without debug assertions")
)]
pub async fn hit_for(place: &'static str, module: &str) -> Result<(), Injected> {
    debug_assert!(ALL.contains(&place), "{place} is missing in the list of failpoints");
    #[cfg(debug_assertions)]
    return armed::hit(place, module).await;
    #[cfg(not(debug_assertions))]
    Ok(())
}

#[cfg(debug_assertions)]
mod armed {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::Injected;

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) enum Action {
        Kill,
        Error,
        Pause,
    }

    #[derive(Debug)]
    pub(super) struct Armed {
        pub(super) place: String,
        /// Empty for any.
        pub(super) module: String,
        pub(super) action: Action,
        /// How often it still passes.
        pub(super) passes: AtomicU32,
    }

    /// `place=action`, `place=N*action` or `place@module=..`; none when it is none of them.
    pub(super) fn parse(text: &str) -> Option<Armed> {
        let (place, what) = text.split_once('=')?;
        let (place, module) = place.split_once('@').unwrap_or((place, ""));
        let (passes, action) = what
            .split_once('*')
            .map_or(Some((0, what)), |(n, action)| Some((n.parse().ok()?, action)))?;
        let action = match action {
            "kill" => Action::Kill,
            "error" => Action::Error,
            "pause" => Action::Pause,
            _ => return None,
        };
        Some(Armed {
            place: place.to_owned(),
            module: module.to_owned(),
            action,
            passes: AtomicU32::new(passes),
        })
    }

    pub(super) async fn hit(place: &'static str, module: &str) -> Result<(), Injected> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let armed = ARMED.get_or_init(|| std::env::var("WHARF_FAILPOINT").ok().as_deref().and_then(parse));
        let is_here = |armed: &&Armed| armed.place == place && (armed.module.is_empty() || armed.module == module);
        let Some(armed) = armed.as_ref().filter(is_here) else {
            return Ok(());
        };
        let still_passes = armed
            .passes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1));
        if still_passes.is_ok() {
            return Ok(());
        }
        match armed.action {
            Action::Error => Err(Injected(place)),
            Action::Pause => std::future::pending().await,
            Action::Kill => {
                // Nothing may run after this: no destructor, no flush.
                let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                std::future::pending().await
            }
        }
    }
}

#[cfg(all(test, debug_assertions))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::atomic::Ordering;

    use super::armed::{Action, parse};

    #[test]
    fn a_place_an_action_and_a_count_are_read() {
        let armed = parse("mail.sent=3*kill").unwrap();
        assert_eq!(
            (armed.place.as_str(), armed.action, armed.passes.load(Ordering::Relaxed)),
            ("mail.sent", Action::Kill, 3)
        );
        assert_eq!(parse("mail.sent=error").unwrap().action, Action::Error);
        let of_one = parse("database.committing@audit=kill").unwrap();
        assert_eq!((of_one.place.as_str(), of_one.module.as_str()), ("database.committing", "audit"));
        for wrong in ["", "mail.sent", "mail.sent=explode", "mail.sent=x*kill"] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
