//! `wharf db`: the database spaces of modules.

use wharf_host::ports::database::SpaceStatus;

use super::args::{DbArgs, DbCommand};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

pub(super) async fn run(args: DbArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        DbCommand::Status => status(context).await,
    }
}

async fn status(context: &Context) -> Result<Exit, Failure> {
    let spaces: Vec<SpaceStatus> = context.client()?.get("/databases").await?;
    context.emit(&spaces, |spaces| {
        if spaces.is_empty() {
            return "no module has used its database since the host started".to_owned();
        }
        let header = [
            "MODULE",
            "DIALECT",
            "PLACE",
            "KEPT BY",
            "SIZE",
            "CONNECTIONS",
            "WAITING",
            "TX",
            "STATEMENTS",
            "ERRORS",
            "SLOW",
        ];
        render::table(&header, spaces.iter().map(row))
    });
    Ok(Exit::Ok)
}

fn row(space: &SpaceStatus) -> Vec<String> {
    vec![
        space.module.clone(),
        space.dialect.clone(),
        space.place.clone(),
        space.kept_by.clone(),
        space
            .size_bytes
            .map_or_else(|| "-".to_owned(), |bytes| format!("{} KiB", bytes / 1024)),
        format!("{}/{}", space.connections_in_use, space.connections_limit),
        space.waiting.to_string(),
        space.transactions.to_string(),
        space.statements.to_string(),
        space.errors.to_string(),
        space.slow.to_string(),
    ]
}
