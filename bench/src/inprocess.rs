//! Nanoseconds of a request in one process and one thread, no socket: through the library and without.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use crate::case::{Case, Maker};
use crate::report::{Report, Spread};
use crate::side::{Alone, Rig, Side, call_info};

const ROUNDS: usize = 61;
const REQUESTS: u32 = 8_000;
const SIDES: [&str; 4] = ["static", "linked", "plain", "tokio"];

/// Rounds are interleaved and rotate who is first; each difference is between neighbours of one round.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "in process, ns a request (10th, 50th, 90th percentile of rounds)",
        "wharf-bench inprocess",
    );
    let rig = Rig::new(Arc::new(Alone))?;
    let sides: Vec<Side> = SIDES.iter().map(|name| rig.side(name)).collect::<Result<_>>()?;
    for (case, bar) in [
        (Case::JSON_1, Some(350.0)),
        (Case::JSON_10, Some(700.0)),
        (Case::PLAIN_1, None),
        (Case::ECHO, None),
    ] {
        let maker = Maker::new(&case)?;
        let mut times: Vec<Vec<f64>> = vec![Vec::new(); sides.len()];
        for round in 0..ROUNDS {
            for place in 0..sides.len() {
                let which = (place + round) % sides.len();
                if let (Some(side), Some(times)) = (sides.get(which), times.get_mut(which)) {
                    times.push(time(side, &maker));
                }
            }
        }
        let base = times.first().cloned().unwrap_or_default();
        for (name, times) in SIDES.iter().zip(&times) {
            // The first rounds fill caches and allocator.
            let pairs = times.iter().zip(&base).skip(5);
            if *name == "static" {
                let spread = Spread::of(times.iter().skip(5).copied().collect());
                let note = note(spread);
                report.figure(&format!("{}: static", case.name), spread.middle, "ns", None, &note);
            } else {
                let spread = Spread::of(pairs.map(|(time, base)| time - base).collect());
                let bar = bar.filter(|_| *name != "linked");
                report.figure(
                    &format!("{}: {name} over static", case.name),
                    spread.middle,
                    "ns",
                    bar,
                    &note(spread),
                );
            }
        }
    }
    Ok(())
}

fn note(spread: Spread) -> String {
    format!("[{:.0} .. {:.0}]", spread.least, spread.most)
}

fn time(side: &Side, maker: &Maker) -> f64 {
    let info = call_info();
    let started = Instant::now();
    for _ in 0..REQUESTS {
        std::hint::black_box(side.answer(std::hint::black_box(maker.request()), &info));
    }
    started.elapsed().as_nanos() as f64 / f64::from(REQUESTS)
}
