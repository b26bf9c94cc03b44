//! Single calls: a core service across the ABI beside a native `dyn` call, and a future that is ready.

use std::future::Future;
use std::hint::black_box;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use wharf_host::modules::standing::{Limits, Standing, Who};
use wharf_host::services::Provider;
use wharf_plugin_api::Fault;
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::host::import;
use wharf_plugin_api::services::log::{Level, LogRef};

use crate::report::{Report, Spread};
use crate::side::{Alone, Rig, ready};

const ROUNDS: usize = 61;
const CALLS: u32 = 100_000;

/// The same work behind Rust's own table.
trait Native {
    fn max_level(&self) -> Level;
}

struct Levels(std::sync::atomic::AtomicU8);

impl Native for Levels {
    #[inline(never)]
    fn max_level(&self) -> Level {
        Level(self.0.load(std::sync::atomic::Ordering::Relaxed))
    }
}

/// Measures them in rotation.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section("single calls, ns (10th, 50th, 90th percentile of rounds)", "wharf-bench calls");
    let rig = Rig::new(Arc::new(Alone))?;
    let instance = rig.load("bench_plain")?;
    let who = Who {
        module: "bench-plain".to_owned(),
        version: "1.0.0".to_owned(),
        generation: 1,
        instance: 1,
    };
    let standing = Standing::new(who, Limits::default());
    let provider = Provider::new(standing, instance.image.manifest.clone(), "{}".to_owned(), rig.shared.clone());
    let log: LogRef = import(&provider.host_ref())?;
    let native: Box<dyn Native> = Box::new(Levels(log.max_level().0.into()));
    let boxed = || -> Pin<Box<dyn Future<Output = Result<u64, Fault>> + Send>> { Box::pin(std::future::ready(Ok(black_box(7)))) };
    let mut times: [Vec<f64>; 5] = Default::default();
    for _ in 0..ROUNDS {
        let round = [
            time(CALLS, || {
                black_box(black_box(&native).max_level());
            }),
            time(CALLS, || {
                black_box(black_box(&log).max_level());
            }),
            time(CALLS, || drop(black_box(ready(boxed())))),
            time(CALLS, || drop(black_box(ready(black_box(FfiFuture::ready(Ok::<u64, Fault>(7))))))),
            time(CALLS / 10, || drop(black_box(ready(instance.health())))),
        ];
        for (times, time) in times.iter_mut().zip(round) {
            times.push(time);
        }
    }
    let [native, service, boxed, future, health] = times;
    let over = |a: &[f64], b: &[f64]| Spread::of(a.iter().zip(b).map(|(a, b)| a - b).collect());
    let mut row = |name: &str, spread: Spread, bar| {
        let note = format!("[{:.1} .. {:.1}]", spread.least, spread.most);
        report.figure(name, spread.middle, "ns", bar, &note);
    };
    row("native dyn call (read a level)", Spread::of(native.clone()), None);
    row("core-service call (log.max_level) over it", over(&service, &native), Some(3.0));
    row("native boxed future that is ready", Spread::of(boxed), None);
    row("FfiFuture that is ready", Spread::of(future), Some(100.0));
    row("health() of a module in a library, with the host's part", Spread::of(health), None);
    Ok(())
}

fn time(calls: u32, mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..calls {
        call();
    }
    started.elapsed().as_nanos() as f64 / f64::from(calls)
}
