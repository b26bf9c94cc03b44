//! Runs a command with private servers beside it: `with-servers [--only redis,s3] -- cargo test ...`.
//!
//! It starts one of each kind, or only those named, on free ports, sets the variables that tell tests where they are, runs the command, and ends the
//! servers, also when it is interrupted or killed. Its exit code is the command's.
#![allow(clippy::print_stderr, clippy::print_stdout, reason = "a command that tells what it does")]

use std::process::{ExitCode, ExitStatus};
use std::time::Instant;

use tokio::process::Command;
use tokio::signal::unix::{SignalKind, signal};
use wharf_tests::backends::Backend;

fn main() -> ExitCode {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let mut only = String::new();
    if arguments.first().is_some_and(|argument| argument == "--only") && arguments.len() > 1 {
        only = arguments.drain(..2).nth(1).unwrap_or_default();
    }
    if arguments.first().is_some_and(|argument| argument == "--") {
        arguments.remove(0);
    }
    let Some((program, arguments)) = arguments.split_first() else {
        println!("usage: with-servers [--only NAME,NAME] -- COMMAND [ARGUMENT]...");
        return ExitCode::from(2);
    };
    match run(&only, program, arguments) {
        Ok(code) => ExitCode::from(code),
        Err(reason) => {
            eprintln!("with-servers: {reason}");
            ExitCode::from(1)
        }
    }
}

fn run(only: &str, program: &str, arguments: &[String]) -> Result<u8, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start a runtime: {error}"))?;
    let began = Instant::now();
    let only: Vec<_> = only.split(',').filter(|name| !name.is_empty()).collect();
    let servers = Backend::start_all(&only)?;
    let names: Vec<_> = servers
        .iter()
        .map(|server| format!("{} on {}", server.name(), server.place().port()))
        .collect();
    eprintln!("with-servers: {} after {:.1} s", names.join(", "), began.elapsed().as_secs_f32());
    let variables = servers.iter().flat_map(Backend::variables);
    let mut command = Command::new(program);
    command.args(arguments).envs(variables).kill_on_drop(true);
    let code = runtime.block_on(until_it_ends(&mut command));
    drop(servers);
    code.map_err(|error| format!("cannot run {program}: {error}"))
}

/// Waits for the command; a signal is handed on to it, and the servers end after it.
async fn until_it_ends(command: &mut Command) -> std::io::Result<u8> {
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let mut child = command.spawn()?;
    loop {
        tokio::select! {
            status = child.wait() => return status.map(code),
            // A terminal has told the child as well.
            _ = interrupted.recv() => {}
            _ = terminated.recv() => hand_on(child.id()),
        }
    }
}

fn hand_on(child: Option<u32>) {
    if let Some(pid) = child.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
        // Fails only when it has just ended.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

fn code(status: ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
