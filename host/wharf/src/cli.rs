//! The command line: parse, validate, run, and say how it went in an exit code.

mod api_keys;
mod args;
mod audit;
mod authz;
mod blobs;
mod client;
mod completions;
mod config;
mod context;
mod db;
mod demo;
mod dev;
mod doctor;
mod events;
mod exit;
mod jobs;
mod keys;
mod log;
mod login;
mod mail;
mod migrate;
mod modules;
mod new;
mod offline;
mod pages;
mod people;
mod remote;
mod render;
mod routes;
mod secrets;
mod serve;
mod sessions;
mod traces;
mod validate;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};
use context::Context;
pub(crate) use exit::{Exit, Failure};

/// Runs the whole program.
pub(crate) fn run(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version come this way too; they go to standard output and count as success.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            drop(error.print());
            return exit.into();
        }
    };
    let context = Context::new(&cli.global);
    let outcome = validate::check(&cli.command).and_then(|()| execute(cli.command, &context));
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            context.report(&failure);
            failure.exit.into()
        }
    }
}

fn execute(command: Command, context: &Context) -> Result<Exit, Failure> {
    // Two more than processors, so that a module that blocks its threads leaves some to the others.
    let workers = std::thread::available_parallelism().map_or(4, |n| n.get() + 2).max(4);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .map_err(|e| Failure::failed("cannot start threads", &e.to_string(), "raise the limit of threads (ulimit -u)"))?;
    let outcome = runtime.block_on(async {
        match command {
            Command::Serve(args) => serve::run(args, context).await,
            Command::Modules(args) => modules::run(args, context).await,
            Command::Routes => routes::run(context).await,
            Command::Events(args) => events::run(args, context).await,
            Command::Jobs(args) => jobs::run(args, context).await,
            Command::Migrate(args) => migrate::run(args, context).await,
            Command::Db(args) => db::run(args, context).await,
            Command::Blobs => blobs::run(context).await,
            Command::Config(args) => config::run(args, context).await,
            Command::Mail { command } => mail::run(context, &command).await,
            Command::Log(args) => log::run(args, context).await,
            Command::Traces { command } => traces::run(context, &command).await,
            Command::Keys(args) => keys::run(args, context),
            Command::Sign(args) => keys::sign(&args, context),
            Command::Authz { command } => authz::run(context, &command).await,
            Command::Users { command } => people::users(context, &command).await,
            Command::Groups { command } => people::groups(context, &command).await,
            Command::ServiceAccounts { command } => people::service_accounts(context, &command).await,
            Command::Tenants { command } => people::tenants(context, &command).await,
            Command::Admin { command } => people::admin(context, &command).await,
            Command::Audit { command } => audit::run(context, &command).await,
            Command::Secrets(args) => secrets::run(args, context).await,
            Command::Demo { command } => demo::run(context, &command).await,
            Command::New(args) => new::run(&args, context),
            Command::Dev(args) => dev::run(&args, context).await,
            Command::Completions(args) => completions::run(&args),
            Command::Login(args) => login::run(&args, context).await,
            Command::Logout => login::log_out(context).await,
            Command::Whoami => login::who_am_i(context).await,
            Command::ApiKeys { command } => api_keys::run(command, context).await,
            Command::Sessions { command } => sessions::run(command, context).await,
            Command::Doctor => doctor::run(context).await,
        }
    });
    // A module's blocking call must not keep the process after its deadline.
    runtime.shutdown_background();
    outcome
}
