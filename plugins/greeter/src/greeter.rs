//! What the module does, whatever asks it to.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::config::Config;
use crate::paced::Paced;

const LONGEST_NAME: usize = 200;
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// One instance of the module. Everything it counts is its own: two instances in one process stay apart.
#[derive(Debug)]
pub struct Greeter {
    config: Config,
    greetings: AtomicU64,
}

/// A request that was understood and is not fulfilled; the message is for whoever asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is nobody to greet.
    NoName,
    /// The name is longer than a name.
    LongName {
        /// Its length in characters.
        length: usize,
    },
    /// The count would go too far.
    FarCount {
        /// The number asked for.
        limit: u32,
        /// The highest one allowed.
        allowed: u32,
    },
    /// The time between two numbers is too long.
    LongPause {
        /// The time asked for.
        pause: Duration,
    },
}

impl Greeter {
    /// Makes an instance that has greeted nobody yet.
    #[must_use]
    pub fn new(config: Config) -> Self {
        Self {
            config,
            greetings: AtomicU64::new(0),
        }
    }

    /// A greeting for one person.
    ///
    /// # Errors
    /// [`Refusal::NoName`] and [`Refusal::LongName`].
    pub fn greet(&self, name: &str) -> Result<String, Refusal> {
        let name = name.trim();
        let length = name.chars().count();
        if name.is_empty() {
            return Err(Refusal::NoName);
        }
        if length > LONGEST_NAME {
            return Err(Refusal::LongName { length });
        }
        self.greetings.fetch_add(1, Ordering::Relaxed);
        wharf_sdk::tracing::debug!(name.length = length, "greeting somebody");
        Ok(format!("{}, {name}!", self.config.greeting))
    }

    /// Greetings given so far by this instance.
    #[must_use]
    pub fn greetings(&self) -> u64 {
        self.greetings.load(Ordering::Relaxed)
    }

    /// The numbers from one to `limit`, with `pause` before each but the first.
    ///
    /// # Errors
    /// [`Refusal::FarCount`] above the configured limit and [`Refusal::LongPause`] above ten seconds.
    pub(crate) fn count(&self, limit: u32, pause: Duration) -> Result<Paced, Refusal> {
        let allowed = self.config.count_limit;
        if limit > allowed {
            return Err(Refusal::FarCount { limit, allowed });
        }
        if pause > LONGEST_PAUSE {
            return Err(Refusal::LongPause { pause });
        }
        Ok(Paced::new(limit, pause))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName => f.write_str("the name is empty: say who is to be greeted"),
            Self::LongName { length } => write!(f, "the name has {length} characters, at most {LONGEST_NAME} are allowed"),
            Self::FarCount { limit, allowed } => write!(f, "cannot count to {limit}: the highest number allowed is {allowed}"),
            Self::LongPause { pause } => {
                write!(
                    f,
                    "the pause is {} ms, at most {} ms are allowed",
                    pause.as_millis(),
                    LONGEST_PAUSE.as_millis()
                )
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_greeted_with_the_configured_word() {
        let config = Config {
            greeting: "Ahoy".to_owned(),
            ..Config::default()
        };
        assert_eq!(Greeter::new(config).greet(" Ada ").unwrap(), "Ahoy, Ada!");
    }

    #[test]
    fn only_greetings_that_were_given_are_counted_and_only_by_their_instance() {
        let (one, other) = (Greeter::new(Config::default()), Greeter::new(Config::default()));
        one.greet("Ada").unwrap();
        assert_eq!(one.greet("  ").unwrap_err(), Refusal::NoName);
        assert_eq!(one.greet(&"a".repeat(201)).unwrap_err(), Refusal::LongName { length: 201 });
        assert_eq!((one.greetings(), other.greetings()), (1, 0));
    }

    #[test]
    fn a_count_stays_within_its_limits() {
        let greeter = Greeter::new(Config::default());
        let far = greeter.count(100_001, Duration::ZERO).unwrap_err();
        assert_eq!(far.to_string(), "cannot count to 100001: the highest number allowed is 100000");
        assert!(greeter.count(1, Duration::from_secs(11)).is_err());
        assert!(greeter.count(100_000, Duration::from_secs(10)).is_ok());
    }
}
