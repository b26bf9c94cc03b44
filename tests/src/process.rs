//! A child process whose output is kept and which ends with the test that started it.

use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// A running program. Dropping it kills it, by its id, and waits for its end.
#[derive(Debug)]
pub struct Process {
    child: Child,
    output: Arc<Output>,
}

/// Everything the program printed, standard output and error together in order of arrival.
#[derive(Debug, Default)]
struct Output {
    text: Mutex<Printed>,
    grew: Condvar,
}

#[derive(Debug, Default)]
struct Printed {
    text: String,
    /// Streams that may still bring more.
    open: usize,
}

/// What a program printed is read by the time it has ended, and this much later, unless something it started holds its streams.
const READ_WITHIN: Duration = Duration::from_secs(2);

impl Process {
    /// Starts a program and keeps what it prints.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start(command: &mut Command) -> Self {
        Self::start_with_input(command, Stdio::null())
    }

    /// The same, with something to read.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn start_with_input(command: &mut Command, input: Stdio) -> Self {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let output = Arc::new(Output::default());
        if let Some(stream) = child.stdout.take() {
            Output::follow(&output, stream);
        }
        if let Some(stream) = child.stderr.take() {
            Output::follow(&output, stream);
        }
        Self { child, output }
    }

    /// No program: what stands in the place of one that is about to start.
    pub(crate) fn none() -> Self {
        Self::start(&mut Command::new("true"))
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything printed so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.lock().text.clone()
    }

    /// Waits until the program has printed `text` and returns everything printed so far.
    ///
    /// # Panics
    /// When it has not within the limit; the message has what was printed.
    pub fn wait_for_output(&self, text: &str, limit: Duration) -> String {
        let until = Instant::now() + limit;
        let mut printed = self.output.lock();
        while !printed.text.contains(text) {
            let left = until.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "no {text:?} within {limit:?}; printed so far:\n{}", printed.text);
            printed = self.output.wait(printed, left);
        }
        printed.text.clone()
    }

    /// Waits for a line that is `wanted`, by its number from 0 and its text; `None` when there is none within the limit.
    pub fn wait_for_line(&self, limit: Duration, wanted: impl Fn(usize, &str) -> bool) -> Option<usize> {
        let until = Instant::now() + limit;
        let mut printed = self.output.lock();
        loop {
            let found = printed.text.lines().enumerate().find(|(number, line)| wanted(*number, line));
            if let Some((number, _)) = found {
                return Some(number);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            printed = self.output.wait(printed, left);
        }
    }

    /// How the program ended, or `None` while it runs. All that it printed is there then.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        let ended = self.child.try_wait();
        let ended = ended.unwrap_or_else(|error| panic!("cannot wait for process {}: {error}", self.id()));
        if ended.is_some() {
            self.output.wait_for_the_end();
        }
        ended
    }

    /// Waits for the program to end by itself.
    ///
    /// # Panics
    /// When it has not within the limit; the message has what was printed.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.wait_or_give_up(limit).unwrap_or_else(|| {
            panic!(
                "process {} has not ended within {limit:?}; it printed:\n{}",
                self.id(),
                self.output()
            )
        })
    }

    /// Waits for the program to end by itself, and no longer than the limit.
    pub fn wait_or_give_up(&mut self, limit: Duration) -> Option<ExitStatus> {
        until(limit, || self.try_wait())
    }

    /// Sends a signal by its name: `TERM`, `HUP`.
    ///
    /// # Panics
    /// When the process has ended already.
    pub fn signal(&self, name: &str) {
        // The shell's own kill: bare machines have no program of that name, and the standard library only kills.
        let command = format!("kill -{name} {}", self.id());
        let sent = Command::new("sh").args(["-c", &command]).status();
        assert!(
            sent.as_ref().is_ok_and(ExitStatus::success),
            "cannot send {name} to process {}: {sent:?}",
            self.id()
        );
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Both fail only when the process has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Output {
    fn follow(output: &Arc<Self>, stream: impl Read + Send + 'static) {
        let output = Arc::clone(output);
        output.lock().open += 1;
        thread::spawn(move || {
            let mut reader = BufReader::new(stream);
            let mut line = Vec::new();
            while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
                output.lock().text.push_str(&String::from_utf8_lossy(&line));
                output.grew.notify_all();
                line.clear();
            }
            output.lock().open -= 1;
            output.grew.notify_all();
        });
    }

    fn wait_for_the_end(&self) {
        let until = Instant::now() + READ_WITHIN;
        let mut printed = self.lock();
        while printed.open > 0 {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            printed = self.wait(printed, left);
        }
    }

    fn wait<'a>(&self, printed: MutexGuard<'a, Printed>, limit: Duration) -> MutexGuard<'a, Printed> {
        self.grew.wait_timeout(printed, limit).unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, Printed> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks until there is an answer or the time is over.
#[allow(
    clippy::disallowed_methods,
    reason = "between two looks at a condition with a deadline, in a thread of a test"
)]
pub fn until<T>(limit: Duration, mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        if Instant::now() >= end {
            return None;
        }
        thread::sleep(Duration::from_millis(10));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const LIMIT: Duration = Duration::from_secs(20);

    #[test]
    fn output_of_both_streams_is_kept() {
        let mut process = shell("echo one; echo two >&2; exit 3");
        assert_eq!(process.wait(LIMIT).code(), Some(3));
        let printed = process.output();
        assert!(printed.contains("one\n") && printed.contains("two\n"), "{printed}");
    }

    #[test]
    fn a_signal_reaches_the_process() {
        let mut process = shell("trap 'echo told; exit 4' TERM; echo ready; while :; do sleep 0.01; done");
        process.wait_for_output("ready", LIMIT);
        process.signal("TERM");
        assert_eq!(process.wait(LIMIT).code(), Some(4));
        assert!(process.output().contains("told"));
    }

    #[test]
    fn a_dropped_process_is_gone() {
        let process = shell("echo ready; exec sleep 1000");
        process.wait_for_output("ready", LIMIT);
        let entry = format!("/proc/{}", process.id());
        assert!(Path::new(&entry).exists() || cfg!(not(target_os = "linux")));
        drop(process);
        assert!(!Path::new(&entry).exists());
    }

    #[test]
    #[should_panic(expected = "printed so far:\nready")]
    fn output_that_never_comes_is_reported_with_what_came() {
        let process = shell("echo ready; exec sleep 1000");
        process.wait_for_output("ready", LIMIT);
        process.wait_for_output("never", Duration::from_millis(20));
    }

    fn shell(script: &str) -> Process {
        Process::start(Command::new("sh").args(["-c", script]))
    }
}
