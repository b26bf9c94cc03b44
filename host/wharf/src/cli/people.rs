//! `wharf users`, `groups`, `service-accounts`, `tenants` and `admin`: what the module `identity` keeps.

mod accounts;
mod groups;
mod programs;

use clap::Subcommand;
use serde_json::{Value, json};

use super::context::Context;
use super::events::table;
use super::exit::{Exit, Failure};
use super::pages::all;

pub(crate) use accounts::UsersCommand;
pub(super) use accounts::{read_password, run as users};
pub(crate) use groups::GroupsCommand;
pub(super) use groups::run as groups;
pub(crate) use programs::ServiceAccountsCommand;
pub(super) use programs::run as service_accounts;

const BOOTSTRAP: &str = "wharf.identity.v1.Bootstrap";
const TENANTS: &str = "wharf.identity.v1.Tenants";

#[derive(Debug, Subcommand)]
pub(crate) enum AdminCommand {
    /// Print a link, valid once and for 15 minutes, with which somebody becomes administrator
    Invite {
        /// Their address [default: whoever follows the link says it]
        email: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum TenantsCommand {
    /// All tenants
    List,
    /// Make a tenant
    Create {
        /// Lower-case letters, digits and -
        id: String,
        /// For people to read [default: the id]
        #[arg(long, default_value = "")]
        name: String,
    },
}

pub(super) async fn admin(context: &Context, command: &AdminCommand) -> Result<Exit, Failure> {
    let AdminCommand::Invite { email } = command;
    let asked = json!({ "email": email.as_deref().unwrap_or_default() });
    let invited: Value = context.client()?.rpc(BOOTSTRAP, "InviteAdministrator", &asked).await?;
    context.emit(&invited, |invited| {
        format!(
            "{}\n\nOpen it to become administrator. It counts once, until {}.",
            text(invited, "url"),
            text(invited, "expires")
        )
    });
    Ok(Exit::Ok)
}

pub(super) async fn tenants(context: &Context, command: &TenantsCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        TenantsCommand::List => {
            let rows = all(&client, TENANTS, "List", json!({}), "tenants", u32::MAX).await?;
            context.emit(&rows, |rows| {
                tabled("no tenants", rows, &[("ID", "id"), ("NAME", "name"), ("CREATED", "created")])
            });
        }
        TenantsCommand::Create { id, name } => {
            let made: Value = client.rpc(TENANTS, "Create", &json!({ "id": id, "name": name })).await?;
            context.emit(&made, |made| format!("tenant {} was made", text(made, "id")));
        }
    }
    Ok(Exit::Ok)
}

/// A field of an answer; fields that have their default are left out there.
pub(super) fn text<'a>(answer: &'a Value, field: &str) -> &'a str {
    answer.get(field).and_then(Value::as_str).unwrap_or_default()
}

/// Some fields of rows, under headings.
pub(super) fn tabled(nothing: &str, rows: &[Value], columns: &[(&str, &str)]) -> String {
    let header: Vec<&str> = columns.iter().map(|(heading, _)| *heading).collect();
    let cells = rows
        .iter()
        .map(|row| columns.iter().map(|(_, field)| cell(row.get(field))).collect());
    table(nothing, rows.is_empty(), &header, cells)
}

fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// The fields of one answer, one a line.
pub(super) fn listed(answer: &Value) -> String {
    let Some(fields) = answer.as_object() else {
        return answer.to_string();
    };
    let width = fields.keys().map(String::len).max().unwrap_or(0);
    let lines = fields.iter().map(|(name, value)| format!("{name:<width$}  {}", cell(Some(value))));
    lines.collect::<Vec<_>>().join("\n")
}
