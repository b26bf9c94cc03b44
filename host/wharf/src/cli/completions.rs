//! `wharf completions`: a script for a shell, on standard output.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::context::print;
use super::exit::{Exit, Failure};

pub(super) fn run(args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "wharf", &mut script);
    print(&String::from_utf8_lossy(&script));
    Ok(Exit::Ok)
}
