//! Measures what it costs to serve a module from a library, beside the same routes linked into the program.
//!
//! `make bench` runs all of it; `wharf-bench NAME` one part. Every figure is printed below the command that makes it.
#![allow(clippy::print_stdout, reason = "the tables are what this program is for")]

mod analytics;
mod authz;
mod cache;
mod callgrind;
mod calls;
mod case;
mod channel;
mod database;
mod events;
mod inprocess;
mod load;
mod loads;
mod network;
mod pipeline;
mod report;
mod side;

use anyhow::{Result, bail};

use crate::report::Report;

const PARTS: [&str; 11] = [
    "callgrind",
    "inprocess",
    "calls",
    "channel",
    "cache",
    "pipeline",
    "network",
    "loads",
    "authz",
    "analytics",
    "events",
];

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments
        .iter()
        .position(|word| word == "--json")
        .map(|at| arguments.remove(at))
        .is_some();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut report = Report::new(json);
    match words.as_slice() {
        // Each part in a process of its own, so that none is measured among what another left behind.
        [] => {
            for part in PARTS {
                report.part(part)?;
            }
        }
        ["inprocess"] => inprocess::run(&mut report)?,
        ["callgrind"] => callgrind::run(&mut report)?,
        ["calls"] => calls::run(&mut report)?,
        ["channel"] => channel::run(&mut report)?,
        ["analytics"] => analytics::run(&mut report)?,
        ["authz"] => authz::run(&mut report)?,
        ["cache"] => cache::run(&mut report)?,
        ["pipeline"] => pipeline::run(&mut report)?,
        ["network"] => network::run(&mut report)?,
        ["database"] => database::run()?,
        ["events"] => events::run(&mut report)?,
        ["loads"] => loads::run(&mut report)?,
        ["callgrind", "--functions"] => callgrind::functions("plain", case::Case::JSON_10)?,
        ["callgrind", "--functions", side, case] => callgrind::functions(side, case::Case::named(case)?)?,
        ["count", side, case, requests] => callgrind::count(side, case, requests)?,
        ["count-step", step, calls] => pipeline::count(step, calls)?,
        ["server", side] => network::serve(side)?,
        ["load", address, case, seconds, connections] => load::run(address, case, seconds, connections, None)?,
        ["load", address, case, seconds, connections, token] => load::run(address, case, seconds, connections, Some(token))?,
        _ => bail!("found {words:?}, expected nothing, database or one of {PARTS:?}"),
    }
    report.finish()
}
