//! `wharf events`: what was published, what became of it, and changes.

use std::fmt::Write as _;

use wharf_host::admin::{Changed, ReplayRequest};
use wharf_host::events::{DeliveryRow, EventRow, ReplayProgress, SchemaRow, SubscriptionRow};
use wharf_host::telemetry::clean;

use super::args::{EventsArgs, EventsCommand, WhichDeliveries};
use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

pub(super) async fn run(args: EventsArgs, context: &Context) -> Result<Exit, Failure> {
    match args.command {
        EventsCommand::List {
            which,
            published,
            event_type,
        } => list(&which, published, event_type.as_deref(), context).await,
        EventsCommand::Show { id } => show(&id, context).await,
        EventsCommand::Retry { which } => change("retry", &which, context).await,
        EventsCommand::Purge { which } => change("purge", &which, context).await,
        EventsCommand::Replay {
            module,
            subscription,
            since,
            event,
        } => replay(&module, &subscription, since, event, context).await,
        EventsCommand::Schema { event_type } => schema(event_type.as_deref(), context).await,
        EventsCommand::Subscriptions => subscriptions(context).await,
    }
}

fn query(which: &WhichDeliveries, more: &[(&str, Option<&str>)]) -> String {
    let limit = which.limit.map(|limit| limit.to_string());
    let mut pairs = vec![
        ("module", which.module.as_deref()),
        ("subscription", which.subscription.as_deref()),
        ("state", which.state.as_deref()),
        ("id", which.id.as_deref()),
        ("limit", limit.as_deref()),
    ];
    pairs.extend_from_slice(more);
    let pairs: Vec<String> = pairs
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", value?)))
        .collect();
    pairs.join("&")
}

async fn list(which: &WhichDeliveries, published: bool, event_type: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    if published {
        let rows: Vec<EventRow> = client
            .get(&format!("/events/published?{}", query(which, &[("type", event_type)])))
            .await?;
        context.emit(&rows, |rows| {
            let header = ["ID", "TYPE", "KEY", "MODULE", "RELAYED", "PUBLISHED"];
            let cells = rows.iter().map(|row| {
                let key = row.key.clone().unwrap_or_else(|| "-".to_owned());
                vec![
                    row.id.clone(),
                    row.event_type.clone(),
                    key,
                    row.module.clone(),
                    row.relayed.to_string(),
                    format!("{:.0}", row.published),
                ]
            });
            table("no events", rows.is_empty(), &header, cells)
        });
        return Ok(Exit::Ok);
    }
    let rows: Vec<DeliveryRow> = client.get(&format!("/events/deliveries?{}", query(which, &[]))).await?;
    context.emit(&rows, |rows| {
        let header = ["ID", "TYPE", "MODULE", "SUBSCRIPTION", "STATE", "TRIES", "DUE", "LAST ERROR"];
        let cells = rows.iter().map(|row| {
            let error = row
                .errors
                .last()
                .and_then(|attempt| attempt.error.first())
                .cloned()
                .unwrap_or_default();
            vec![
                row.id.clone(),
                row.event_type.clone(),
                row.module.clone(),
                row.subscription.clone(),
                row.state.name().to_owned(),
                format!("{}/{}", row.attempts, row.max_attempts),
                format!("{:.0}", row.due),
                error.chars().take(60).collect(),
            ]
        });
        table("nothing is waiting, and there are no dead letters", rows.is_empty(), &header, cells)
    });
    Ok(Exit::Ok)
}

async fn show(id: &str, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    let rows: Vec<DeliveryRow> = client.get(&format!("/events/deliveries?id={id}")).await?;
    if let Some(row) = rows.into_iter().next() {
        context.emit(&row, delivery);
        return Ok(Exit::Ok);
    }
    let rows: Vec<EventRow> = client.get(&format!("/events/published?id={id}")).await?;
    let Some(row) = rows.into_iter().next() else {
        return Err(Failure::usage(
            format!("found no delivery and no event with the id {id:?}"),
            "`wharf events list` shows deliveries, `--published` events",
        ));
    };
    context.emit(&row, |row| serde_json::to_string_pretty(&row.envelope).unwrap_or_default());
    Ok(Exit::Ok)
}

fn delivery(row: &DeliveryRow) -> String {
    let mut text = format!(
        "{} of {} for {} {}: {}, try {} of {}\n",
        row.id,
        row.event_type,
        row.module,
        row.subscription,
        row.state.name(),
        row.attempts,
        row.max_attempts
    );
    for attempt in &row.errors {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:.0}  try {} on {}", attempt.at, attempt.attempt, clean(&attempt.node));
        for cause in &attempt.error {
            let _ = writeln!(text, "    {}", clean(cause));
        }
    }
    let envelope = row
        .envelope
        .as_ref()
        .and_then(|envelope| serde_json::to_string_pretty(envelope).ok());
    text.push_str(&envelope.unwrap_or_default());
    text
}

async fn change(what: &str, which: &WhichDeliveries, context: &Context) -> Result<Exit, Failure> {
    let changed: Changed = context.client()?.post(&format!("/events/{what}?{}", query(which, &[]))).await?;
    let done = if what == "retry" { "tried again" } else { "deleted" };
    context.emit(&changed, |changed| format!("{} deliveries are {done}", changed.count));
    Ok(Exit::Ok)
}

async fn replay(
    module: &str,
    subscription: &str,
    since: Option<String>,
    event: Option<String>,
    context: &Context,
) -> Result<Exit, Failure> {
    let since = since
        .map(|text| text.parse().map_err(|_| text))
        .transpose()
        .map_err(|text| Failure::usage(format!("found --since {text:?}, expected a time"), "such as 2026-01-31T00:00:00Z"))?;
    let client = context.client()?;
    let mut request = ReplayRequest {
        since,
        event,
        progress: None,
    };
    loop {
        let progress: ReplayProgress = client.put(&format!("/events/replay/{module}/{subscription}"), &request).await?;
        if progress.next.is_none() {
            context.emit(&progress, |progress| {
                format!("{} events are delivered again to {module} {subscription}", progress.delivered)
            });
            return Ok(Exit::Ok);
        }
        context.progress(&format!("{} events", progress.delivered));
        request.progress = Some(progress);
    }
}

async fn schema(event_type: Option<&str>, context: &Context) -> Result<Exit, Failure> {
    let query = event_type.map_or_else(String::new, |event_type| format!("?type={event_type}"));
    let rows: Vec<SchemaRow> = context.client()?.get(&format!("/events/schemas{query}")).await?;
    context.emit(&rows, |rows| {
        let blocks = rows.iter().map(|row| {
            let schema = serde_json::to_string_pretty(&row.schema).unwrap_or_default();
            format!("{} ({} {})\n{schema}", clean(&row.event_type), clean(&row.module), clean(&row.role))
        });
        blocks.collect::<Vec<_>>().join("\n\n")
    });
    Ok(Exit::Ok)
}

async fn subscriptions(context: &Context) -> Result<Exit, Failure> {
    let rows: Vec<SubscriptionRow> = context.client()?.get("/events/subscriptions").await?;
    context.emit(&rows, |rows| {
        let header = ["MODULE", "SUBSCRIPTION", "TYPE", "WAITING", "DEAD", "STATE"];
        let cells = rows.iter().map(|row| {
            let count = |state: &str| row.deliveries.get(state).copied().unwrap_or_default().to_string();
            let state = match (row.gone, row.behind) {
                (true, _) => "gone",
                (false, true) => "behind",
                (false, false) => "live",
            };
            vec![
                row.module.clone(),
                row.subscription.clone(),
                row.event_type.clone(),
                count("waiting"),
                count("dead"),
                state.to_owned(),
            ]
        });
        table("no subscriptions", rows.is_empty(), &header, cells)
    });
    Ok(Exit::Ok)
}

pub(super) fn table(nothing: &str, is_empty: bool, header: &[&str], cells: impl Iterator<Item = Vec<String>>) -> String {
    if is_empty {
        nothing.to_owned()
    } else {
        render::table(header, cells)
    }
}
