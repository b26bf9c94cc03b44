//! `wharf log`: levels of the running host.

use wharf_host::admin::LogDirectives;

use super::args::{LogArgs, LogCommand};
use super::context::Context;
use super::exit::{Exit, Failure};

pub(super) async fn run(args: LogArgs, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let now: LogDirectives = match args.command {
        LogCommand::Show => client.get("/log").await?,
        LogCommand::Set { directives } => client.put("/log", &LogDirectives { directives }).await?,
    };
    context.emit(&now, |now| wharf_host::telemetry::clean(&now.directives).into_owned());
    Ok(Exit::Ok)
}
