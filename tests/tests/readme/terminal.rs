//! A terminal with one command that goes on until the test ends.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use wharf_tests::Process;

use crate::blocks::line_matches;

/// A command in a process group of its own, so that what it started ends with it.
pub(crate) struct Terminal {
    process: Process,
    /// How many lines were seen already.
    seen: usize,
}

impl Terminal {
    pub(crate) fn start(mut command: Command) -> Self {
        Self {
            process: Process::start(command.process_group(0)),
            seen: 0,
        }
    }

    /// Waits until these lines have appeared, in this order, with others between them. Gives the line that did not.
    pub(crate) fn wait_for(&mut self, expected: &[String], limit: Duration) -> Result<(), String> {
        let wanted: Vec<&String> = expected.iter().filter(|line| !matches!(line.trim(), "" | "...")).collect();
        let end = Instant::now() + limit;
        for line in wanted {
            self.seen = self.find(line, end).ok_or_else(|| line.clone())? + 1;
        }
        Ok(())
    }

    /// The number of a line that has not been seen yet; `None` when the command has ended or the time is over.
    fn find(&mut self, line: &str, end: Instant) -> Option<usize> {
        loop {
            let ended = self.process.try_wait().is_some();
            let seen = self.seen;
            let found = self.process.wait_for_line(Duration::from_millis(500), |number, printed| {
                number >= seen && line_matches(line, printed)
            });
            if found.is_some() || ended || Instant::now() >= end {
                return found;
            }
        }
    }

    pub(crate) fn output(&self) -> String {
        self.process.output()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Cargo, make and the host end at this; the group is the one made above.
        let script = format!("kill -TERM -{}", self.process.id());
        let told = Command::new("sh").args(["-c", &script]).status();
        if told.is_ok_and(|status| status.success()) {
            self.process.wait_or_give_up(Duration::from_secs(30));
        }
    }
}
