//! `wharf migrate`: the tables of modules. Without a running host it looks at the databases itself.

use wharf_host::domain::finding::Finding;
use wharf_host::domain::migration::MigrationRow;

use super::args::{MigrateArgs, MigrateCommand};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::{offline, render};

pub(super) async fn run(args: MigrateArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        MigrateCommand::Plan { module } => plan(module.as_deref(), context).await,
        MigrateCommand::Up { module } => up(module.as_deref(), context).await,
        MigrateCommand::Status { module } => status(module.as_deref(), context).await,
    }
}

async fn plan(module: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let (mut due, findings) = match context.client()?.get("/migrations").await {
        Err(failure) if context.may_look_here(&failure) => {
            let config = context.load_config(false)?;
            context.note(&format!(
                "{}; asking the builds in {} instead, which are created with nothing but memory behind them, and not started",
                failure.message,
                config.plugins_dir().display()
            ));
            let preview = offline::preview_migrations(&config, &context.load_options(false)).await?;
            (preview.rows, preview.findings)
        }
        answer => (answer?, Vec::new()),
    };
    due.retain(|row: &MigrationRow| row.state != "applied" && module.is_none_or(|id| id == row.module));
    show_plan(&due, context);
    let errors: Vec<Finding> = findings.into_iter().filter(Finding::is_error).collect();
    if errors.is_empty() {
        return Ok(Exit::Ok);
    }
    let message = "not all builds could be asked; what the others would do is above";
    let mut failure = Failure::new(Exit::Findings, "migration.unknown", message, "`wharf modules check` shows more");
    failure.findings = errors;
    Err(failure)
}

fn show_plan(due: &[MigrationRow], context: &Context) {
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
    let mut rows: Vec<MigrationRow> = match context.client()?.get("/migrations").await {
        Err(failure) if context.may_look_here(&failure) => {
            context.note(&format!(
                "{}; these are the migrations that the databases remember; `wharf migrate plan` asks the builds for new ones",
                failure.message
            ));
            offline::remembered_migrations(&context.load_config(false)?).await?
        }
        answer => answer?,
    };
    rows.retain(|row| module.is_none_or(|id| id == row.module));
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
