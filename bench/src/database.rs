//! What the way through the host costs a module's database: the same work in a module and on sea-orm with sqlx directly.
//!
//! The two cannot share a cargo graph, so the direct side is a program of the excluded workspace `bench/database`.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use tokio::runtime::Runtime;
use wharf_testing::{Builder, TestHost};

use crate::events;
use crate::side::library;

/// Case, how often in one measurement, and the bar.
const CASES: [(&str, u32, f64); 5] = [
    ("point-select", 2000, 1.15),
    ("insert-returning", 1000, 1.15),
    ("transaction", 1000, 1.15),
    ("select-1000", 50, 1.7),
    ("stream-50000", 1, 1.3),
];

/// Measurements of each side, one after the other.
const PAIRS: usize = 15;

/// The direct side, waiting for work.
struct Direct {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Direct {
    fn start(url: &str) -> Result<Self> {
        let program = root().join("bench/database/target/release/bench-database-direct");
        ensure!(
            program.is_file(),
            "{} is not there: build it with `cargo build --release --manifest-path bench/database/Cargo.toml`",
            program.display()
        );
        let mut child = Command::new(program)
            .arg(url)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let ask = child.stdin.take().context("no standard input")?;
        let answer = BufReader::new(child.stdout.take().context("no standard output")?);
        let mut direct = Self { child, ask, answer };
        let ready = direct.line()?;
        ensure!(ready == "ready", "found {ready:?}, expected ready");
        Ok(direct)
    }

    fn line(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answer.read_line(&mut line)?;
        Ok(line.trim().to_owned())
    }

    fn run(&mut self, case: &str, count: u32) -> Result<u64> {
        writeln!(self.ask, "{case} {count}")?;
        self.line()?.parse().context("the direct side gave no number")
    }
}

impl Drop for Direct {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs all cases on the embedded database, and on PostgreSQL where there is one; prints one line each.
pub(crate) fn run() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("direct.sqlite").display());
    println!("$ wharf-bench database    (SQLite, medians of {PAIRS} measurements of each side in turn)");
    on(&runtime, &url, TestHost::builder())?;
    let Ok(url) = std::env::var(events::POSTGRES) else {
        println!(
            "PostgreSQL: not measured: {} is not set; run this with `with-servers --only postgres`",
            events::POSTGRES
        );
        return Ok(());
    };
    println!("$ with-servers --only postgres -- wharf-bench database    (PostgreSQL over TCP on this machine)");
    let spaces = runtime.block_on(async { events::postgres(&url) })?;
    on(&runtime, &url, TestHost::builder().databases(spaces))
}

fn on(runtime: &Runtime, url: &str, builder: Builder) -> Result<()> {
    let mut direct = Direct::start(url)?;
    let host = runtime.block_on(builder.library(library("bench_database")?).log("warn").start());
    let get = |path: String| runtime.block_on(host.get(&path)).text();
    let filled = get("/bench-database/fill".to_owned());
    if filled != "filled" {
        bail!("the module could not fill its table: {filled}");
    }
    println!("{:<18} {:>12} {:>12} {:>7} {:>7}", "case", "direct ns", "module ns", "ratio", "bar");
    for (case, count, bar) in CASES {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..PAIRS {
            theirs.push(direct.run(case, count)?);
            let text = get(format!("/bench-database/run/{case}/{count}"));
            ours.push(text.parse::<u64>().with_context(|| format!("{case}: found {text:?}"))?);
        }
        let (ours, theirs) = (median(ours), median(theirs));
        println!("{case:<18} {theirs:>12} {ours:>12} {:>7.2} {bar:>7.2}", ours as f64 / theirs as f64);
    }
    Ok(())
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn median(mut numbers: Vec<u64>) -> u64 {
    numbers.sort_unstable();
    numbers.get(numbers.len() / 2).copied().unwrap_or(0)
}
