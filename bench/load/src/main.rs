//! `wharf-load`: puts load on a real host while it is changed, and says whether anybody noticed.
#![allow(clippy::print_stdout, reason = "a command that prints its result")]

mod args;

use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let Command::Reload(args) = Cli::parse().command;
    let report = wharf_load::reload::run(args.plan()?).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{report}");
    }
    Ok(if report.failures.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
