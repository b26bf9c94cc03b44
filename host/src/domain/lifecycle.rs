//! Which state may follow which: a total table.

use super::status::State;

/// Whether a module may go from one state to another. Staying is always allowed.
#[must_use]
pub fn allowed(from: State, to: State) -> bool {
    use State::{Disabled, Discovered, Draining, Failed, Initialized, Loaded, Quarantined, Resolved, Running, Stopped, Verified};
    if from == to {
        return true;
    }
    match from {
        Discovered => matches!(to, Verified | Failed | Disabled),
        Verified => matches!(to, Resolved | Failed | Disabled),
        Resolved => matches!(to, Loaded | Failed | Disabled),
        Loaded => matches!(to, Initialized | Failed | Stopped),
        Initialized => matches!(to, Running | Failed | Stopped),
        Running => matches!(to, Draining | Failed | Quarantined),
        // A new build takes over while the old one drains; if there is none, it stops.
        Draining => matches!(to, Stopped | Running | Failed | Quarantined),
        // Whatever ended can be tried again from the file.
        Stopped => matches!(to, Discovered | Disabled | Loaded | Failed),
        Disabled | Failed => matches!(to, Discovered | Verified | Loaded | Disabled | Failed),
        Quarantined => matches!(
            to,
            Discovered | Verified | Loaded | Disabled | Running | Draining | Failed | Stopped
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [State; 11] = [
        State::Discovered,
        State::Verified,
        State::Resolved,
        State::Loaded,
        State::Initialized,
        State::Running,
        State::Draining,
        State::Stopped,
        State::Disabled,
        State::Failed,
        State::Quarantined,
    ];

    /// One row a state, one column a state, in the order of `ALL`.
    const TABLE: &str = "
        =+......++.
        .=+.....++.
        ..=+....++.
        ...=+..+.+.
        ....=+.+.+.
        .....=+..++
        .....+=+.++
        +..+...=++.
        ++.+....=+.
        ++.+....+=.
        ++.+.+++++=
    ";

    #[test]
    fn every_pair_of_states_is_decided() {
        let rows: Vec<&str> = TABLE.split_whitespace().collect();
        assert_eq!(rows.len(), ALL.len());
        for (from, row) in ALL.into_iter().zip(rows) {
            assert_eq!(row.len(), ALL.len());
            for (to, cell) in ALL.into_iter().zip(row.chars()) {
                assert_eq!(allowed(from, to), cell != '.', "{from:?} -> {to:?}");
            }
        }
    }

    #[test]
    fn the_way_up_and_down_is_open() {
        for pair in ALL.get(..8).unwrap_or_default().windows(2) {
            if let [from, to] = pair {
                assert!(allowed(*from, *to), "{from:?} -> {to:?}");
            }
        }
    }
}
