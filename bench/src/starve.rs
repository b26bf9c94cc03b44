//! What one module notices of another that has used up its own connections: PostgreSQL, one pool a module.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use tokio::task::JoinSet;
use wharf_host::infra::database::Limits;
use wharf_testing::TestHost;

use crate::events;
use crate::report::{Report, Spread};
use crate::side::library;

/// Callers of the starving module, and how long each waits for a connection: so many in so long are 40,000 a second.
const CALLERS: u32 = 1_000;
const PATIENCE: Duration = Duration::from_millis(25);
/// Calls of the other module in one round, and rounds with and without the others in turn.
const CALLS: usize = 400;
const ROUNDS: usize = 9;

/// Medians of rounds, with and without.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "starve: analytics answers from its tables while another module has no connection left",
        "with-servers --only postgres -- wharf-bench starve",
    );
    let Ok(url) = std::env::var(events::POSTGRES) else {
        report.hole(&format!(
            "{} is not set; run this with `with-servers --only postgres`",
            events::POSTGRES
        ));
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let limits = Limits {
            acquire_timeout: PATIENCE,
            ..Limits::default()
        };
        let host = TestHost::builder()
            .library(library("bench_database")?)
            .library(library("analytics")?)
            .allow("user:bench", "analytics.*")
            .databases(events::postgres_with(&url, limits)?)
            .log("off")
            .start()
            .await;
        let host = Arc::new(host);
        let (mut quiet, mut starved, mut rates) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            quiet.push(median(&host).await?);
            let flood = Flood::start(&host).await?;
            starved.push(median(&host).await?);
            rates.push(flood.end().await);
        }
        let (quiet, starved, rate) = (Spread::of(quiet), Spread::of(starved), Spread::of(rates));
        let between = |spread: Spread| format!("{:.0} to {:.0}", spread.least, spread.most);
        report.figure("alone, p50 of a call", quiet.middle, "us", None, &between(quiet));
        report.figure(
            "beside the starving module, p50 of a call",
            starved.middle,
            "us",
            None,
            &between(starved),
        );
        report.figure("refused calls of the starving module", rate.middle, "1/s", None, &between(rate));
        Ok(())
    })
}

async fn median(host: &TestHost) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..CALLS {
        let began = Instant::now();
        let answer = host.as_user("bench").get("/analytics/metrics").await;
        times.push(began.elapsed().as_nanos() as f64 / 1e3);
        ensure!(answer.status == 200, "found {}: {}", answer.status, answer.text());
    }
    Ok(Spread::of(times).middle)
}

/// Callers of a module that holds all its connections.
struct Flood {
    over: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    began: Instant,
    callers: JoinSet<()>,
}

impl Flood {
    async fn start(host: &Arc<TestHost>) -> Result<Self> {
        let (over, refused) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let (host, over, refused) = (Arc::clone(host), Arc::clone(&over), Arc::clone(&refused));
            callers.spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let answer = host.get("/bench-database/hold").await;
                    if answer.status != 200 {
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        // Begins when all connections are in use.
        let until = Instant::now() + Duration::from_secs(10);
        while refused.load(Ordering::Relaxed) < u64::from(CALLERS) {
            ensure!(Instant::now() < until, "the module that should starve does not");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        refused.store(0, Ordering::Relaxed);
        Ok(Self {
            over,
            refused,
            began: Instant::now(),
            callers,
        })
    }

    /// How many were refused in a second.
    async fn end(self) -> f64 {
        let rate = self.refused.load(Ordering::Relaxed) as f64 / self.began.elapsed().as_secs_f64();
        self.over.store(true, Ordering::Relaxed);
        self.callers.join_all().await;
        rate
    }
}
