//! What a run tells, for people and for programs.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use serde::Serialize;

use super::Plan;
use super::host::Host;
use super::streams::Outcome;
use super::tally::Tally;
use super::traffic::Times;

/// What a run tells. Times are in milliseconds, memory in bytes.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Requests that were asked for, and ended.
    pub requests: u64,
    /// Requests at once.
    pub clients: usize,
    /// How long they took together, in seconds.
    pub elapsed_s: f64,
    /// Requests in a second.
    pub requests_per_s: f64,
    /// Each kind of request.
    pub kinds: Vec<KindReport>,
    /// Reloads that were done.
    pub reloads: u64,
    /// Time from replacing the file to the answer of `wharf modules reload`: median.
    pub reload_p50_ms: f64,
    /// The slowest reload.
    pub reload_max_ms: f64,
    /// Different instances that answered.
    pub instances_seen: usize,
    /// Streams of another module that lived through all of it.
    pub other_streams: u64,
    /// Messages they got, none missing.
    pub other_messages: u64,
    /// Endless streams of the swapped module that ended when their instance had drained, and were opened again.
    pub drained_streams: u64,
    /// Connections that the host closed.
    pub lost_connections: u64,
    /// Libraries opened since the host started.
    pub generations_loaded: u64,
    /// pthread keys that were left at the end.
    pub thread_keys_left: u64,
    /// pthread keys a reload took.
    pub thread_keys_per_reload: f64,
    /// Private memory before the load, and at the end, when all replaced instances had drained.
    pub private_bytes: (u64, u64),
    /// Growth of it for each reload: from the median of the first quarter of all reloads to that of the last, under the same load.
    pub private_bytes_per_reload: i64,
    /// Everything that must not happen and did.
    pub failed: u64,
    /// The first of them in words. Empty when every check held.
    pub failures: Vec<String>,
    /// The host's log, kept when a check failed.
    pub host_log: Option<PathBuf>,
}

/// One kind of request.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct KindReport {
    /// Its name.
    pub name: &'static str,
    /// How many.
    pub requests: usize,
    /// Median.
    pub p50_ms: f64,
    /// 99 of 100 were not slower.
    pub p99_ms: f64,
    /// The slowest.
    pub max_ms: f64,
}

/// One reload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Swap {
    pub(super) took: Duration,
    /// Private memory when it began.
    pub(super) private: u64,
}

/// What a host holds at one moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Memory {
    private: u64,
    keys_left: u64,
    generations: u64,
}

impl Memory {
    pub(super) async fn of(host: &Host) -> anyhow::Result<Self> {
        let status = host.status().await?;
        Ok(Self {
            private: host.private_bytes()?,
            keys_left: status.thread_keys_left,
            generations: status.generations_loaded,
        })
    }
}

impl Report {
    #[allow(clippy::too_many_arguments, reason = "one call, which puts a run together")]
    pub(super) fn new(
        plan: &Plan,
        tally: &Tally,
        kinds: Vec<Times>,
        swaps: Vec<Swap>,
        (others, swapped): (Outcome, Outcome),
        (before, after): (Memory, Memory),
        elapsed: Duration,
        exit: ExitStatus,
    ) -> Self {
        if !exit.success() {
            tally.fail(format!("the host ended with {exit}, expected exit code 0"));
        }
        if others.messages < others.streams {
            tally.fail(format!(
                "{} streams of another module got {} messages",
                others.streams, others.messages
            ));
        }
        if tally.finished() < plan.requests {
            tally.fail(format!("{} requests ended, expected at least {}", tally.finished(), plan.requests));
        }
        let (_, _, instances_seen) = tally.verdict();
        let reloads = swaps.len() as u64;
        let expected = before.generations + reloads;
        if after.generations != expected && !plan.watch {
            tally.fail(format!("{} generations were loaded, expected {expected}", after.generations));
        }
        if (instances_seen as u64) < reloads {
            tally.fail(format!(
                "{instances_seen} instances answered, expected about one for each of {reloads} reloads"
            ));
        }
        let (failed, failures, _) = tally.verdict();
        let mut took: Vec<_> = swaps.iter().map(|swap| swap.took).collect();
        took.sort_unstable();
        let per_reload = |growth: f64| growth / (reloads.max(1) as f64);
        Self {
            requests: tally.finished(),
            clients: plan.clients,
            elapsed_s: elapsed.as_secs_f64(),
            requests_per_s: tally.finished() as f64 / elapsed.as_secs_f64(),
            kinds: kinds.iter().map(KindReport::new).collect(),
            reloads,
            reload_p50_ms: at(&took, 0.5),
            reload_max_ms: at(&took, 1.0),
            instances_seen,
            other_streams: others.streams,
            other_messages: others.messages,
            drained_streams: swapped.cut,
            lost_connections: tally.lost_connections(),
            generations_loaded: after.generations,
            thread_keys_left: after.keys_left,
            thread_keys_per_reload: per_reload(before.keys_left as f64 - after.keys_left as f64),
            private_bytes: (before.private, after.private),
            private_bytes_per_reload: growth(&swaps) as i64,
            failed,
            failures,
            host_log: None,
        }
    }
}

impl KindReport {
    fn new(times: &Times) -> Self {
        Self {
            name: times.kind.name(),
            requests: times.taken.len(),
            p50_ms: at(&times.taken, 0.5),
            p99_ms: at(&times.taken, 0.99),
            max_ms: at(&times.taken, 1.0),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<16} {:>9} {:>10} {:>10} {:>10}",
            "requests", "count", "p50 ms", "p99 ms", "max ms"
        )?;
        for kind in &self.kinds {
            let KindReport {
                name,
                requests,
                p50_ms,
                p99_ms,
                max_ms,
            } = kind;
            writeln!(f, "{name:<16} {requests:>9} {p50_ms:>10.2} {p99_ms:>10.2} {max_ms:>10.2}")?;
        }
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let rows = [
            ("all requests", format!("{} with {} at once", self.requests, self.clients)),
            (
                "time",
                format!("{:.1} s, {:.0} requests a second", self.elapsed_s, self.requests_per_s),
            ),
            (
                "reloads",
                format!(
                    "{}, median {:.1} ms, slowest {:.1} ms",
                    self.reloads, self.reload_p50_ms, self.reload_max_ms
                ),
            ),
            ("instances", format!("{} answered", self.instances_seen)),
            (
                "other streams",
                format!("{} lived, {} messages, none missing", self.other_streams, self.other_messages),
            ),
            (
                "swapped streams",
                format!("{} ended by a drain, opened again", self.drained_streams),
            ),
            ("connections", format!("{} lost", self.lost_connections)),
            (
                "generations",
                format!(
                    "{}, {} thread keys left, {:.2} for each reload",
                    self.generations_loaded, self.thread_keys_left, self.thread_keys_per_reload
                ),
            ),
            (
                "private memory",
                format!(
                    "{:.1} MiB before, {:.1} MiB after, {:.0} KiB for each reload",
                    mib(self.private_bytes.0),
                    mib(self.private_bytes.1),
                    self.private_bytes_per_reload as f64 / 1024.0
                ),
            ),
            ("failed", self.failed.to_string()),
        ];
        for (name, value) in rows {
            writeln!(f, "{name:<16} {value}")?;
        }
        self.failures.iter().try_for_each(|failure| writeln!(f, "  {failure}"))?;
        self.host_log
            .iter()
            .try_for_each(|log| writeln!(f, "the host's log is {}", log.display()))
    }
}

/// Bytes for each reload, from the medians of the first and the last quarter.
fn growth(swaps: &[Swap]) -> f64 {
    let quarter = (swaps.len() / 4).max(1);
    let median = |part: &[Swap]| {
        let mut bytes: Vec<_> = part.iter().map(|swap| swap.private).collect();
        bytes.sort_unstable();
        bytes.get(bytes.len() / 2).copied().unwrap_or_default() as f64
    };
    let first = swaps.get(..quarter).unwrap_or_default();
    let last = swaps.get(swaps.len().saturating_sub(quarter)..).unwrap_or_default();
    (median(last) - median(first)) / swaps.len().saturating_sub(quarter).max(1) as f64
}

/// The time at this share of a sorted list, in milliseconds.
fn at(sorted: &[Duration], share: f64) -> f64 {
    let place = ((sorted.len() as f64 * share).ceil() as usize).saturating_sub(1);
    sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
