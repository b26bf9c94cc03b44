//! Swaps a module between two builds while requests run, and checks every answer.
//!
//! In reading order: [`run`] (the whole), `host` (the process under load), `tally` (what is counted and what counts as a
//! failure), `wire` (connections and single requests), `traffic` (the mix of requests), `streams` (what lives long: streams
//! of another module, which must never break, and of the swapped one, which end when it drains), `report`.

mod host;
mod report;
mod streams;
mod tally;
mod traffic;
mod wire;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};

pub use report::{KindReport, Report};

use host::{Build, Host};
use report::{Memory, Swap};
use tally::Tally;
use wire::Client;

/// The two builds, in the order in which they serve.
const BUILDS: [Build; 2] = [
    Build {
        library: "swap_old",
        version: "1.0.0",
    },
    Build {
        library: "swap_new",
        version: "1.1.0",
    },
];

/// What is done.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The host's binary.
    pub wharf: PathBuf,
    /// Folder with the libraries of `swap-old`, `swap-new` and `greeter`.
    pub libraries: PathBuf,
    /// How many requests at least; they go on until the last reload is over.
    pub requests: u64,
    /// How many reloads, spread evenly over the requests.
    pub reloads: u64,
    /// Requests at once.
    pub clients: usize,
    /// How long an old instance may finish what it has, in milliseconds.
    pub drain_ms: u64,
    /// Whether the host watches its plugins folder beside the reloads that are asked for.
    pub watch: bool,
}

/// Starts a host, does what the plan says, and stops the host again.
///
/// # Errors
/// When the host cannot be started, asked or stopped. What goes wrong for clients is in [`Report::failures`].
pub async fn run(plan: Plan) -> anyhow::Result<Report> {
    ensure!(
        plan.requests > plan.reloads,
        "found {} requests for {} reloads, expected more requests than reloads",
        plan.requests,
        plan.reloads
    );
    let [first, _] = BUILDS;
    let mut host = Host::start(&plan, first).await?;
    let tally = Arc::new(Tally::new(plan.requests, host.module_instance().await?, first.version));
    let bystanders = streams::bystanders(&host, &tally).await?;
    let drained = streams::of_the_swapped_module(&host, &tally);
    let before = Memory::of(&host).await?;

    let started = Instant::now();
    let traffic = traffic::start(&host, &tally, plan.clients).await?;
    let swaps = swap_again_and_again(&host, &plan, &tally).await;
    tally.swaps_are_over();
    let kinds = traffic.finish().await;
    let elapsed = started.elapsed();
    let swaps = swaps?;

    // What still drains belongs to the run: its memory is counted when it is gone.
    tokio::time::sleep(Duration::from_millis(plan.drain_ms + 500)).await;
    let drained = drained.finish().await;
    let bystanders = bystanders.finish().await;
    let after = Memory::of(&host).await?;
    let exit = host.stop().await?;
    let mut report = Report::new(&plan, &tally, kinds, swaps, (bystanders, drained), (before, after), elapsed, exit);
    if report.failed > 0 {
        report.host_log = Some(host.keep());
    }
    Ok(report)
}

/// Replaces the library and reloads, evenly over the requests.
async fn swap_again_and_again(host: &Host, plan: &Plan, tally: &Tally) -> anyhow::Result<Vec<Swap>> {
    let mut client = Client::connect(host.http()).await?;
    let mut swaps = Vec::new();
    for (number, build) in (1..=plan.reloads).zip(BUILDS.iter().cycle().skip(1)) {
        tally.wait_until_finished(plan.requests * number / (plan.reloads + 1)).await;
        let (started, private) = (Instant::now(), host.private_bytes()?);
        tally.swap_begins();
        host.install_build(*build)?;
        let status = host.reload().await.with_context(|| format!("reload {number}"))?;
        swaps.push(Swap {
            took: started.elapsed(),
            private,
        });
        if status.version != build.version {
            tally.fail(format!(
                "reload {number} reported version {}, expected {}",
                status.version, build.version
            ));
        }
        tally.swapped(status.instance, build.version);
        probe(&mut client, tally, number, status.instance, build.version).await;
    }
    Ok(swaps)
}

/// The first requests after a swap must be answered by the new instance, whatever they speak.
async fn probe(client: &mut Client, tally: &Tally, number: u64, instance: u64, version: &str) {
    let asked = [client.get_http1().await, client.get_http2().await, client.grpc().await];
    for answer in asked {
        match answer {
            Ok(answer) if answer.instance == instance && answer.version == version => {}
            Ok(answer) => tally.fail(format!(
                "after reload {number}: found {answer:?}, expected version {version} of instance {instance}"
            )),
            Err(error) => tally.fail(format!("after reload {number}: {error:#}")),
        }
    }
}
