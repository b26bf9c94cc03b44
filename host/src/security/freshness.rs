//! How old what the host knows of callers is.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What the host watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// Keys of access tokens, from module `auth`.
    Keys,
    /// What was revoked, from module `auth`.
    Revocations,
    /// Rules, from module `authz`.
    Policy,
}

/// What can be said of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It spoke not too long ago.
    Fresh,
    /// It has been silent for too long, or runs and has not spoken yet.
    Silent,
    /// It has never spoken, and its module does not run here.
    Absent,
}

/// One line of status about a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceStatus {
    /// Which.
    pub source: Source,
    /// How it stands.
    pub standing: Standing,
    /// Since when it has been silent; none if it never spoke.
    pub age: Option<Duration>,
}

/// When each source spoke last.
pub struct Freshness {
    started: Instant,
    most: Duration,
    heard: [Heard; 3],
}

#[derive(Default)]
struct Heard {
    /// Milliseconds since the start, plus one; 0: never.
    at: AtomicU64,
    /// Whether the module that is the source runs.
    runs: AtomicBool,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Keys, Self::Revocations, Self::Policy];

    /// As in metrics and status.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Revocations => "revocations",
            Self::Policy => "policy",
        }
    }

    /// The module it comes from.
    #[must_use]
    pub fn module(self) -> &'static str {
        match self {
            Self::Keys | Self::Revocations => "auth",
            Self::Policy => "authz",
        }
    }
}

impl Freshness {
    /// A source that is silent for longer than `most` does not count.
    #[must_use]
    pub fn new(most: Duration) -> Self {
        Self {
            started: Instant::now(),
            most,
            heard: Default::default(),
        }
    }

    /// The source has just spoken.
    pub fn heard(&self, source: Source) {
        let now = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        self.of(source).at.store(now + 1, Ordering::Release);
    }

    /// Whether the module that is the source runs.
    pub fn runs(&self, source: Source, runs: bool) {
        self.of(source).runs.store(runs, Ordering::Release);
    }

    /// How long the source has been silent; none if it never spoke.
    #[must_use]
    pub fn age(&self, source: Source) -> Option<Duration> {
        let at = self.of(source).at.load(Ordering::Acquire).checked_sub(1)?;
        Some(self.started.elapsed().saturating_sub(Duration::from_millis(at)))
    }

    /// How it stands.
    #[must_use]
    pub fn standing(&self, source: Source) -> Standing {
        match self.age(source) {
            Some(age) if age <= self.most => Standing::Fresh,
            None if !self.of(source).runs.load(Ordering::Acquire) => Standing::Absent,
            _ => Standing::Silent,
        }
    }

    /// All of them, for status and metrics.
    #[must_use]
    pub fn status(&self) -> Vec<SourceStatus> {
        let line = |source| SourceStatus {
            source,
            standing: self.standing(source),
            age: self.age(source),
        };
        Source::ALL.into_iter().map(line).collect()
    }

    fn of(&self, source: Source) -> &Heard {
        let [keys, revocations, policy] = &self.heard;
        match source {
            Source::Keys => keys,
            Source::Revocations => revocations,
            Source::Policy => policy,
        }
    }
}

impl SourceStatus {
    /// Whether it counts now.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.standing == Standing::Fresh
    }
}

impl fmt::Debug for Freshness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.status()).finish()
    }
}

impl fmt::Display for SourceStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { source, standing, age } = self;
        match (standing, age) {
            (Standing::Absent, _) => write!(f, "{} not there: module {} does not run", source.name(), source.module()),
            (_, None) => write!(f, "{} not heard of yet from module {}", source.name(), source.module()),
            (Standing::Fresh, Some(age)) => write!(f, "{} heard {}s ago from module {}", source.name(), age.as_secs(), source.module()),
            (_, Some(age)) => write!(
                f,
                "{} too old: heard {}s ago from module {}",
                source.name(),
                age.as_secs(),
                source.module()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_is_absent_then_silent_then_fresh_then_silent_again() {
        let all_day = Freshness::new(Duration::from_secs(3600));
        assert_eq!(all_day.standing(Source::Keys), Standing::Absent);
        all_day.runs(Source::Keys, true);
        assert_eq!(all_day.standing(Source::Keys), Standing::Silent);
        all_day.heard(Source::Keys);
        assert_eq!(all_day.standing(Source::Keys), Standing::Fresh);
        assert_eq!(all_day.standing(Source::Policy), Standing::Absent);

        let none = Freshness::new(Duration::ZERO);
        none.heard(Source::Policy);
        let deadline = Instant::now() + Duration::from_secs(5);
        while none.standing(Source::Policy) == Standing::Fresh && Instant::now() < deadline {
            std::hint::spin_loop();
        }
        assert_eq!(none.standing(Source::Policy), Standing::Silent);
    }
}
