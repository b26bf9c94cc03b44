//! What a post is, and what it may become.

use std::fmt;

/// What a post is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    /// For its authors alone.
    Draft,
    /// Will be published when it is time.
    Scheduled,
    /// For everyone.
    Published,
    /// For its authors alone, and out of their way.
    Archived,
}

/// What is done to a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Action {
    /// Shows it to everyone, now.
    Publish,
    /// Publishes it later, or at another time than was said before.
    Schedule,
    /// Takes it back to be worked on.
    Unpublish,
    /// Puts it away.
    Archive,
}

/// An action that makes no sense in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found a post that is {state}, which cannot be {done}; expected one that is {expected}")]
pub(crate) struct Refused {
    state: State,
    done: &'static str,
    expected: &'static str,
}

impl State {
    pub(crate) const ALL: [Self; 4] = [Self::Draft, Self::Scheduled, Self::Published, Self::Archived];

    /// What it is after an action. Total: every pair has its answer here and nowhere else.
    pub(crate) fn after(self, action: Action) -> Result<Self, Refused> {
        use Action::{Archive, Publish, Schedule, Unpublish};
        match (self, action) {
            (Self::Draft | Self::Scheduled | Self::Archived, Publish) => Ok(Self::Published),
            (Self::Draft | Self::Scheduled | Self::Archived, Schedule) => Ok(Self::Scheduled),
            (Self::Scheduled | Self::Published | Self::Archived, Unpublish) => Ok(Self::Draft),
            (Self::Draft | Self::Scheduled | Self::Published, Archive) => Ok(Self::Archived),
            (Self::Published, Publish) => Err(self.refuses("published again", "a draft, scheduled or archived")),
            (Self::Published, Schedule) => Err(self.refuses("scheduled", "a draft, scheduled or archived")),
            (Self::Draft, Unpublish) => Err(self.refuses("taken back", "scheduled, published or archived")),
            (Self::Archived, Archive) => Err(self.refuses("archived again", "a draft, scheduled or published")),
        }
    }

    fn refuses(self, done: &'static str, expected: &'static str) -> Refused {
        Refused {
            state: self,
            done,
            expected,
        }
    }

    /// As it stands in the database and in answers.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Scheduled => "scheduled",
            Self::Published => "published",
            Self::Archived => "archived",
        }
    }

    /// The state of that name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

impl Action {
    /// The word in addresses, audit records and events.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Schedule => "schedule",
            Self::Unpublish => "unpublish",
            Self::Archive => "archive",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Draft => "a draft",
            other => other.name(),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_pair_of_state_and_action_has_its_answer() {
        use Action::{Archive, Publish, Schedule, Unpublish};
        use State::{Archived, Draft, Published, Scheduled};
        let table = [
            (Draft, [Some(Published), Some(Scheduled), None, Some(Archived)]),
            (Scheduled, [Some(Published), Some(Scheduled), Some(Draft), Some(Archived)]),
            (Published, [None, None, Some(Draft), Some(Archived)]),
            (Archived, [Some(Published), Some(Scheduled), Some(Draft), None]),
        ];
        for (state, expected) in table {
            let found = [Publish, Schedule, Unpublish, Archive].map(|action| state.after(action).ok());
            assert_eq!(found, expected, "{state:?}");
        }
    }

    #[test]
    fn names_lead_back_to_their_states_and_refusals_say_what_to_do() {
        for state in State::ALL {
            assert_eq!(State::named(state.name()), Some(state));
        }
        assert_eq!(State::named("Draft"), None);
        let text = State::Published.after(Action::Publish).unwrap_err().to_string();
        assert_eq!(
            text,
            "found a post that is published, which cannot be published again; expected one that is a draft, scheduled or archived"
        );
    }
}
