//! `wharf jobs`: what is scheduled, what has run, and changes.

use jiff::Timestamp;
use wharf_host::admin::Asked;
use wharf_host::jobs::{JobRow, RunRow};

use super::args::{JobsArgs, JobsCommand};
use super::context::Context;
use super::events::table;
use super::exit::{Exit, Failure};

pub(super) async fn run(args: JobsArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        JobsCommand::List => list(context).await,
        JobsCommand::Run { module, job, payload } => run_now(&module, &job, payload.as_deref(), context).await,
        JobsCommand::Pause { module, job } => set(&module, &job, "pause", context).await,
        JobsCommand::Resume { module, job } => set(&module, &job, "resume", context).await,
        JobsCommand::History { module, job, limit } => history(module.as_deref(), job.as_deref(), limit, context).await,
    }
}

async fn list(context: &Context) -> Result<Exit, Failure> {
    let rows: Vec<JobRow> = context.client()?.get("/jobs").await?;
    context.emit(&rows, |rows| jobs(rows));
    Ok(Exit::Ok)
}

async fn run_now(module: &str, job: &str, payload: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let payload: serde_json::Value = payload
        .map_or(Ok(serde_json::Value::Null), serde_json::from_str)
        .map_err(|error| Failure::usage(format!("found a --payload that is no JSON: {error}"), "such as '{\"number\": 7}'"))?;
    let asked: Asked = context.client()?.put(&format!("/jobs/{module}/{job}/run"), &payload).await?;
    context.emit(&asked, |asked| format!("{job} of {module} runs soon; its run is {}", asked.run));
    Ok(Exit::Ok)
}

async fn set(module: &str, job: &str, what: &str, context: &Context) -> Result<Exit, Failure> {
    let rows: Vec<JobRow> = context.client()?.post(&format!("/jobs/{module}/{job}/{what}")).await?;
    context.emit(&rows, |rows| jobs(rows));
    Ok(Exit::Ok)
}

async fn history(module: Option<&str>, job: Option<&str>, limit: u32, context: &Context) -> Result<Exit, Failure> {
    let mut query = format!("limit={limit}");
    for (key, value) in [("module", module), ("job", job)] {
        if let Some(value) = value {
            query.push_str(&format!("&{key}={value}"));
        }
    }
    let rows: Vec<RunRow> = context.client()?.get(&format!("/jobs/history?{query}")).await?;
    context.emit(&rows, |rows| {
        let header = ["STARTED", "MODULE", "JOB", "TRY", "OUTCOME", "MS", "NODE", "ERROR"];
        let cells = rows.iter().map(|row| {
            let took = row.ended.as_millisecond() - row.started.as_millisecond();
            vec![
                format!("{:.0}", row.started),
                row.module.clone(),
                row.job.clone(),
                row.attempt.to_string(),
                row.outcome.clone(),
                took.to_string(),
                row.node.clone(),
                row.error.chars().take(60).collect(),
            ]
        });
        table("no runs", rows.is_empty(), &header, cells)
    });
    Ok(Exit::Ok)
}

fn jobs(rows: &[JobRow]) -> String {
    let time = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| format!("{at:.0}"));
    let header = ["MODULE", "JOB", "SCHEDULE", "ZONE", "NEXT", "WAITING", "RUNNING", "DEAD"];
    let cells = rows.iter().map(|row| {
        let next = if row.paused { "paused".to_owned() } else { time(row.next) };
        vec![
            row.module.clone(),
            row.job.clone(),
            row.schedule.clone().unwrap_or_else(|| "-".to_owned()),
            row.timezone.clone(),
            next,
            row.waiting.to_string(),
            row.running.to_string(),
            row.dead.to_string(),
        ]
    });
    table("no jobs", rows.is_empty(), &header, cells)
}
