//! The `wharf` program.

mod cli;
mod wiring;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run(std::env::args_os())
}
