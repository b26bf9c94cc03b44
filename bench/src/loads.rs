//! What it takes to bring a library in, and what each generation leaves behind.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, anyhow};
use wharf_host::domain::graph::{Node, Standing, resolve};
use wharf_host::modules::inspect::InspectRules;
use wharf_host::modules::instance::Instance;
use wharf_host::modules::open::{Opening, open};
use wharf_host::modules::os::Target;
use wharf_host::modules::place::{Folder, PlaceRules, PrivateFolder};
use wharf_host::modules::standing::Limits;
use wharf_host::modules::trust::{TrustMode, TrustPolicy};
use wharf_host::modules::verify::{Candidate, VerifyContext};

use crate::report::Report;
use crate::side::{Alone, Rig, library};

const LOADS: usize = 200;

/// Loads the hello library and the largest one that was built here, each from a private copy of its own.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    for (name, bar) in [("hello_module", Some(10.0)), ("bench_tokio", None)] {
        let bytes = std::fs::metadata(library(name)?)?.len();
        report.section(
            &format!("{LOADS} loads of {name} ({:.1} MiB on disk)", bytes as f64 / f64::from(1 << 20)),
            "wharf-bench loads",
        );
        measure(name, bar, report)?;
    }
    Ok(())
}

fn measure(name: &str, bar: Option<f64>, report: &mut Report) -> Result<()> {
    let rig = Rig::new(Arc::new(Alone))?;
    let home = tempfile::tempdir()?;
    std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700))?;
    let file = home.path().join(library(name)?.file_name().context("a library has a name")?);
    std::fs::copy(library(name)?, &file)?;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o700))?;
    let private = PrivateFolder::create(&home.path().join("private"), Target::HOST.library_suffix()).map_err(|e| anyhow!("{e:#?}"))?;
    let context = context();
    let (mut all, mut opened, mut created) = (Vec::new(), Vec::new(), Vec::new());
    let mut before = 0;
    for load in 0..LOADS {
        if load == 8 {
            before = anonymous()?;
        }
        let started = Instant::now();
        let verified = verify(&file, &context, &private)?;
        let verifying = started.elapsed();
        let image = open(&Opening {
            copy: &verified.copy,
            manifest: &verified.manifest,
            descriptors: &verified.descriptors,
            reserve_thread_keys: 16,
        })?;
        let opening = started.elapsed() - verifying;
        let instance = rig
            .runtime
            .block_on(Instance::create(image, "{}".to_owned(), &rig.shared, Limits::default()))
            .map_err(|fault| anyhow!("{fault}"))?;
        rig.runtime.block_on(instance.start()).map_err(|fault| anyhow!("{fault}"))?;
        let total = started.elapsed();
        all.push(total.as_secs_f64() * 1e3);
        opened.push(opening.as_secs_f64() * 1e3);
        created.push((total - opening - verifying).as_secs_f64() * 1e3);
        rig.runtime.block_on(instance.stop()).map_err(|fault| anyhow!("{fault}"))?;
        instance.retire();
    }
    let left = (anonymous()? - before) as f64 / (LOADS - 8) as f64;
    report.figure(
        "verify + resolve + open + create + start, p50",
        quantile(&mut all, 0.5),
        "ms",
        None,
        "",
    );
    report.figure(
        "verify + resolve + open + create + start, p99",
        quantile(&mut all, 0.99),
        "ms",
        bar,
        "",
    );
    report.figure("of which open, p50", quantile(&mut opened, 0.5), "ms", None, "");
    report.figure("of which create + start, p50", quantile(&mut created, 0.5), "ms", None, "");
    report.figure(
        "anonymous memory left by a generation",
        left,
        "KiB",
        Some(150.0),
        "/proc/self/smaps_rollup",
    );
    Ok(())
}

/// Stages 1 to 5.
fn verify(file: &Path, context: &VerifyContext, private: &PrivateFolder) -> Result<wharf_host::modules::verify::Verified> {
    let parent = file.parent().context("a file lies in a folder")?;
    let name = file.file_name().unwrap_or(OsStr::new(""));
    let folder = Folder::open(parent, &context.place).map_err(|e| anyhow!("{e:#?}"))?;
    let verified = Candidate::new(&folder, name)
        .verify(context, private)
        .map_err(|e| anyhow!("{e:#?}"))?;
    let nodes = [Node::new(&verified.manifest, Standing::Candidate, Some(verified.file.clone()))];
    let resolution = resolve(&nodes, &BTreeSet::new());
    if resolution.order.len() != 1 {
        return Err(anyhow!("{:#?}", resolution.findings));
    }
    Ok(verified)
}

fn context() -> VerifyContext {
    let services = ["channel", "config", "errors", "health", "log", "metrics", "runtime"];
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
