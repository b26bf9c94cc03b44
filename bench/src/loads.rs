//! What it takes to bring a library in, and what each generation leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use wharf_host::domain::graph::{Node, Standing, resolve};
use wharf_host::modules::control::Control as _;
use wharf_host::modules::inspect::InspectRules;
use wharf_host::modules::instance::Instance;
use wharf_host::modules::open::{Opening, open};
use wharf_host::modules::os::Target;
use wharf_host::modules::place::{Folder, PlaceRules, PrivateFolder};
use wharf_host::modules::standing::Limits;
use wharf_host::modules::trust::{TrustMode, TrustPolicy};
use wharf_host::modules::verify::{Candidate, Checked, VerifyContext};
use wharf_testing::TestHost;

use crate::report::Report;
use crate::side::{Alone, Rig, library};

const LOADS: usize = 200;
/// Of the files with line tables: a process has about a thousand thread keys, and each generation takes one.
const FEW_LOADS: usize = 40;

/// In a whole host.
const RELOADS: usize = 50;

/// What was timed, in milliseconds, one value a load.
#[derive(Default)]
struct Times {
    check: Vec<f64>,
    store: Vec<f64>,
    open: Vec<f64>,
    create: Vec<f64>,
    all: Vec<f64>,
}

/// Loads the hello library and the largest one that was built here, each from a private copy of its own. As cargo leaves
/// them, with line tables, and as they are shipped, without.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    for (name, bar) in [("hello_module", Some(10.0)), ("bench_tokio", None)] {
        for is_stripped in [true, false] {
            let home = tempfile::tempdir()?;
            std::fs::set_permissions(home.path(), Permissions::from_mode(0o700))?;
            let file = home.path().join(library(name)?.file_name().context("a library has a name")?);
            std::fs::copy(library(name)?, &file)?;
            std::fs::set_permissions(&file, Permissions::from_mode(0o700))?;
            let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
            let command = "wharf-bench loads";
            if is_stripped && !Command::new("strip").arg(&file).status().is_ok_and(|status| status.success()) {
                report.section(&format!("{LOADS} loads of {name}, stripped"), command);
                report.hole("`strip` is not installed; it is in binutils");
                continue;
            }
            let loads = if is_stripped { LOADS } else { FEW_LOADS };
            let size = mib(std::fs::metadata(&file)?.len());
            let how = if is_stripped { "stripped" } else { "with line tables" };
            report.section(&format!("{loads} loads of {name}, {how}: {size:.1} MiB"), command);
            measure(&file, home.path(), loads, bar.filter(|_| is_stripped), report)?;
        }
    }
    for name in ["hello_module", "blog"] {
        reloads(name, report)?;
    }
    Ok(())
}

/// As an operator asks for it: all stages, migrations, the new instance beside the old, the swap of routes, the end of the old.
fn reloads(name: &str, report: &mut Report) -> Result<()> {
    let home = tempfile::tempdir()?;
    let file = home.path().join(library(name)?.file_name().context("a library has a name")?);
    std::fs::copy(library(name)?, &file)?;
    let stripped = Command::new("strip").arg(&file).status().is_ok_and(|status| status.success());
    let mib = std::fs::metadata(&file)?.len() as f64 / f64::from(1 << 20);
    let how = if stripped { "stripped" } else { "with line tables" };
    report.section(
        &format!("{RELOADS} reloads of {name} in a whole host, {how}: {mib:.1} MiB"),
        "wharf-bench loads",
    );
    let id = name.trim_end_matches("_module");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let host = TestHost::builder().library(&file).log("warn").start().await;
        let (mut times, mut before) = (Vec::new(), 0);
        for reload in 0..RELOADS {
            if reload == 8 {
                before = anonymous()?;
            }
            let started = Instant::now();
            host.host().reload(id).await.map_err(|refused| anyhow!("{refused}"))?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        let left = (anonymous()? - before) as f64 / (RELOADS - 8) as f64;
        report.figure("verify to swap, p50", quantile(&mut times, 0.5), "ms", None, "");
        report.figure("verify to swap, p99", quantile(&mut times, 0.99), "ms", None, "");
        report.figure("anonymous memory left by a reload", left, "KiB", None, "/proc/self/smaps_rollup");
        Ok(())
    })
}

fn measure(file: &Path, home: &Path, loads: usize, bar: Option<f64>, report: &mut Report) -> Result<()> {
    let rig = Rig::new(Arc::new(Alone))?;
    let private = PrivateFolder::create(&home.join("private"), Target::HOST.library_suffix()).map_err(|e| anyhow!("{e:#?}"))?;
    let context = context();
    let mut times = Times::default();
    let mut before = 0;
    for load in 0..loads {
        // The first ones fill caches of allocator and linker.
        if load == 8 {
            before = anonymous()?;
        }
        let started = Instant::now();
        let checked = check(file, &context)?;
        let checked_at = started.elapsed();
        let verified = checked.store(&private).map_err(|e| anyhow!("{e:#?}"))?;
        let stored_at = started.elapsed();
        let image = open(&Opening {
            copy: &verified.copy,
            manifest: &verified.manifest,
            descriptors: &verified.descriptors,
            reserve_thread_keys: 16,
        })?;
        let opened_at = started.elapsed();
        let instance = rig
            .runtime
            .block_on(Instance::create(image, "{}".to_owned(), &rig.shared, Limits::default()))
            .map_err(|fault| anyhow!("{fault}"))?;
        rig.runtime.block_on(instance.start()).map_err(|fault| anyhow!("{fault}"))?;
        let all = started.elapsed();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        times.check.push(ms(checked_at));
        times.store.push(ms(stored_at - checked_at));
        times.open.push(ms(opened_at - stored_at));
        times.create.push(ms(all - opened_at));
        times.all.push(ms(all));
        rig.runtime.block_on(instance.stop()).map_err(|fault| anyhow!("{fault}"))?;
        instance.retire();
        // What is measured is not how full a disk gets.
        drop(instance);
        drop(std::fs::remove_file(&verified.copy));
    }
    let left = (anonymous()? - before) as f64 / loads.saturating_sub(8) as f64;
    report.figure(
        "verify + resolve + open + create + start, p50",
        quantile(&mut times.all, 0.5),
        "ms",
        None,
        "",
    );
    report.figure(
        "verify + resolve + open + create + start, p99",
        quantile(&mut times.all, 0.99),
        "ms",
        bar,
        "",
    );
    report.figure(
        "of which read, hash, inspect, resolve, p50",
        quantile(&mut times.check, 0.5),
        "ms",
        None,
        "",
    );
    report.figure("of which the private copy, p50", quantile(&mut times.store, 0.5), "ms", None, "");
    report.figure(
        "control: the same bytes written to a file that is removed at once, p50",
        written_and_removed(file, home)?,
        "ms",
        None,
        "its pages are used again; those of a copy stay with their library",
    );
    report.figure("of which open, p50", quantile(&mut times.open, 0.5), "ms", None, "");
    report.figure("of which create + start, p50", quantile(&mut times.create, 0.5), "ms", None, "");
    report.figure(
        "anonymous memory left by a generation",
        left,
        "KiB",
        Some(150.0),
        "/proc/self/smaps_rollup",
    );
    Ok(())
}

/// Milliseconds of writing a new file with the bytes of this one, each removed before the next: what a private copy takes when the
/// system has pages at hand, and need not get them from the machine below it.
fn written_and_removed(file: &Path, home: &Path) -> Result<f64> {
    let bytes = std::fs::read(file)?;
    let mut times = Vec::with_capacity(LOADS);
    for number in 0..LOADS {
        let path = home.join(format!("control-{number}"));
        let started = Instant::now();
        std::fs::write(&path, &bytes)?;
        times.push(started.elapsed().as_secs_f64() * 1e3);
        std::fs::remove_file(&path)?;
    }
    Ok(quantile(&mut times, 0.5))
}

/// Stages 1 to 5.
fn check(file: &Path, context: &VerifyContext) -> Result<Checked> {
    let parent = file.parent().context("a file lies in a folder")?;
    let name = file.file_name().unwrap_or(OsStr::new(""));
    let folder = Folder::open(parent, &context.place).map_err(|e| anyhow!("{e:#?}"))?;
    let checked = Candidate::new(&folder, name).check(context).map_err(|e| anyhow!("{e:#?}"))?;
    let nodes = [Node::new(&checked.manifest, Standing::Candidate, Some(checked.file.clone()))];
    let resolution = resolve(&nodes, &BTreeSet::new());
    if resolution.order.len() != 1 {
        return Err(anyhow!("{:#?}", resolution.findings));
    }
    Ok(checked)
}

fn context() -> VerifyContext {
    let services = ["cache", "channel", "config", "errors", "health", "log", "metrics", "runtime"];
    VerifyContext {
        place: PlaceRules::default(),
        trust: Arc::new(TrustPolicy {
            mode: TrustMode::Any,
            ..TrustPolicy::default()
        }),
        inspect: InspectRules::default(),
        abi: wharf_manifest::Abi {
            major: u32::from(wharf_plugin_api::ABI.major),
            minor: u32::from(wharf_plugin_api::ABI.minor),
            draft: wharf_plugin_api::ABI_DRAFT,
        },
        services: services.into_iter().map(|name| (name.to_owned(), BTreeSet::from([1]))).collect(),
        configs: BTreeMap::new(),
        now: jiff::Timestamp::now(),
    }
}

/// KiB that belong to this process alone and to no file.
fn anonymous() -> Result<i64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup
        .lines()
        .find_map(|line| line.strip_prefix("Anonymous:"))
        .context("smaps_rollup has no line `Anonymous:`")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse()?)
}

fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len().saturating_sub(1) as f64 * part).round() as usize;
    values.get(place).copied().unwrap_or(f64::NAN)
}
