//! Instructions of a request, counted by valgrind: repeatable on a busy machine.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use crate::case::{Case, Maker};
use crate::report::Report;
use crate::side::{Alone, Rig, Side, call_info};

/// What starts and ends the counting: start-up, which differs from run to run, is not in it.
const TOGGLE: &str = "--toggle-collect=*measured_requests*";
const REQUESTS: u32 = 2_000;
/// Before these the caches and the allocator are cold.
const WARM_UP: u32 = 200;

/// Counts every side and case.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "instructions a request",
        "wharf-bench callgrind (runs `valgrind --tool=callgrind --toggle-collect=*measured_requests* wharf-bench count SIDE CASE N`)",
    );
    if !there_is("valgrind") {
        report.hole("valgrind is not installed; install it (`apt-get install valgrind`) and run this again");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    for (case, bar) in [
        (Case::JSON_1, Some(3_300.0)),
        (Case::JSON_10, Some(7_500.0)),
        (Case::PLAIN_1, None),
        (Case::ECHO, None),
    ] {
        let base = counted("static", &case, folder.path())?;
        report.figure(&format!("{}: static", case.name), base, "instructions", None, "");
        for side in ["linked", "plain", "tokio"] {
            let more = counted(side, &case, folder.path())? - base;
            let bar = bar.filter(|_| side != "linked");
            report.figure(&format!("{}: {side} over static", case.name), more, "instructions", bar, "");
        }
    }
    Ok(())
}

/// Prints where the instructions of a side go, by function.
pub(crate) fn functions(side: &str, case: Case) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("functions.out");
    let status = valgrind(&out)
        .arg(TOGGLE)
        .arg(std::env::current_exe()?)
        .args(["count", side, case.short(), &REQUESTS.to_string()])
        .status()
        .context("valgrind could not be started; is it installed?")?;
    if !status.success() {
        bail!("valgrind ended with {status}");
    }
    println!("{side}, {}, {REQUESTS} requests: divide by that", case.name);
    Command::new("callgrind_annotate")
        .args(["--threshold=98", "--auto=no"])
        .arg(&out)
        .status()
        .context("callgrind_annotate could not be started")?;
    Ok(())
}

/// What runs under valgrind.
pub(crate) fn count(side: &str, case: &str, requests: &str) -> Result<()> {
    let maker = Maker::new(&Case::named(case)?)?;
    let rig = Rig::new(Arc::new(Alone))?;
    let side = rig.side(side)?;
    warm_up(&side, &maker);
    measured_requests(&side, &maker, requests.parse()?);
    Ok(())
}

#[inline(never)]
fn warm_up(side: &Side, maker: &Maker) {
    let info = call_info();
    for _ in 0..WARM_UP {
        std::hint::black_box(side.answer(std::hint::black_box(maker.request()), &info));
    }
}

#[inline(never)]
fn measured_requests(side: &Side, maker: &Maker, requests: u32) {
    let info = call_info();
    for _ in 0..requests {
        std::hint::black_box(side.answer(std::hint::black_box(maker.request()), &info));
    }
}

fn counted(side: &str, case: &Case, folder: &Path) -> Result<f64> {
    counted_by(&["count", side, case.short()], folder)
}

fn counted_by(arguments: &[&str], folder: &Path) -> Result<f64> {
    let out = folder.join("count.out");
    let run = valgrind(&out)
        .arg(TOGGLE)
        .arg(std::env::current_exe()?)
        .args(arguments)
        .arg(REQUESTS.to_string())
        .output()
        .context("valgrind could not be started")?;
    if !run.status.success() {
        bail!("valgrind ended with {}: {}", run.status, String::from_utf8_lossy(&run.stderr));
    }
    let text = std::fs::read_to_string(&out)?;
    let summary = text
        .lines()
        .find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")))
        .context("valgrind wrote no summary")?;
    Ok(summary.trim().parse::<f64>()? / f64::from(REQUESTS))
}

fn valgrind(out: &Path) -> Command {
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--quiet", "--trace-children=no"])
        .arg(format!("--callgrind-out-file={}", out.display()));
    command
}

/// Whether valgrind can be started.
pub(crate) fn is_there() -> bool {
    there_is("valgrind")
}

/// Instructions of one step of the pipeline.
pub(crate) fn counted_step(step: &str) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    counted_by(&["count-step", step], folder.path())
}

fn there_is(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
