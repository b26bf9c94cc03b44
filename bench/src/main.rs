//! Measures what it costs to serve a module from a library, beside the same routes linked into the program.
//!
//! `make bench` runs all of it; `wharf-bench NAME` one part. Every figure is printed below the command that makes it.
#![allow(clippy::print_stdout, reason = "the tables are what this program is for")]

mod callgrind;
mod case;
mod inprocess;
mod report;
mod side;

use anyhow::{Result, bail};

use crate::report::Report;

fn main() -> Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().position(|word| word == "--json").map(|at| arguments.remove(at)).is_some();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut report = Report::new(json);
    match words.as_slice() {
        [] | ["all"] => {
            inprocess::run(&mut report)?;
            callgrind::run(&mut report)?;
        }
        ["inprocess"] => inprocess::run(&mut report)?,
        ["callgrind"] => callgrind::run(&mut report)?,
        ["callgrind", "--functions"] => callgrind::functions("plain", case::Case::JSON_10)?,
        ["callgrind", "--functions", side, case] => callgrind::functions(side, case::Case::named(case)?)?,
        ["count", side, case, requests] => callgrind::count(side, case, requests)?,
        _ => bail!("found {words:?}, expected nothing, or one of: inprocess, callgrind"),
    }
    report.finish()
}
