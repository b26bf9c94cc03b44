//! `wharf migrate`: the tables of modules.

use wharf_host::domain::migration::MigrationRow;

use super::args::{MigrateArgs, MigrateCommand};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

pub(super) async fn run(args: MigrateArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        MigrateCommand::Plan { module } => plan(module.as_deref(), context).await,
        MigrateCommand::Up { module } => up(module.as_deref(), context).await,
        MigrateCommand::Status { module } => status(module.as_deref(), context).await,
    }
}

async fn rows(module: Option<&str>, context: &Context) -> Result<Vec<MigrationRow>, Failure> {
    let mut rows: Vec<MigrationRow> = context.client()?.get("/migrations").await?;
    rows.retain(|row| module.is_none_or(|id| id == row.module));
    Ok(rows)
}

async fn plan(module: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let mut due = rows(module, context).await?;
    due.retain(|row| row.state != "applied");
    context.emit(&due, |due| {
        if due.is_empty() {
            return "nothing to do".to_owned();
        }
        let blocks = due.iter().map(|row| {
            let statements: String = row.statements.iter().map(|sql| format!("\n  {sql};")).collect();
            format!("{} {} ({}, {}){}", row.module, row.name, row.kind, row.state, statements)
        });
        blocks.collect::<Vec<_>>().join("\n")
    });
    Ok(Exit::Ok)
}

async fn up(module: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    context.progress("running migrations");
    let path = module.map_or_else(|| "/migrations/up".to_owned(), |id| format!("/migrations/up?module={id}"));
    let rows: Vec<MigrationRow> = client.post(&path).await?;
    context.emit(&rows, |rows| table(rows));
    Ok(Exit::Ok)
}

async fn status(module: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let rows = rows(module, context).await?;
    context.emit(&rows, |rows| table(rows));
    Ok(Exit::Ok)
}

fn table(rows: &[MigrationRow]) -> String {
    if rows.is_empty() {
        return "no migrations".to_owned();
    }
    let rows = rows.iter().map(|row| {
        vec![
            row.module.clone(),
            row.name.clone(),
            row.kind.clone(),
            row.state.clone(),
            row.version.clone().unwrap_or_else(|| "-".to_owned()),
            row.applied_at.clone().unwrap_or_else(|| "-".to_owned()),
            row.checksum.chars().take(12).collect(),
        ]
    });
    render::table(&["MODULE", "MIGRATION", "KIND", "STATE", "VERSION", "APPLIED", "SHA256"], rows)
}
