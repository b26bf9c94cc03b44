//! `wharf groups`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::super::pages::all;
use super::{tabled, text};
use crate::cli::client::AdminClient;
use crate::cli::context::Context;
use crate::cli::events::table;
use crate::cli::exit::{Exit, Failure};

const GROUPS: &str = "wharf.identity.v1.Groups";

#[derive(Debug, Subcommand)]
pub(crate) enum GroupsCommand {
    /// Groups of a tenant
    List {
        /// Tenant [default: default]
        #[arg(long, default_value = "")]
        tenant: String,
    },
    /// Make a group
    Create {
        /// Its name
        name: String,
        /// What it is for
        #[arg(long, default_value = "")]
        description: String,
        /// Tenant [default: default]
        #[arg(long, default_value = "")]
        tenant: String,
    },
    /// Delete a group
    Delete {
        /// Its id
        group: String,
    },
    /// Who is in a group
    Members {
        /// Its id
        group: String,
    },
    /// Put somebody into a group
    Add {
        /// Its id
        group: String,
        /// user:ID, service:ID, or the id of a user
        member: String,
    },
    /// Take somebody out of a group
    Remove {
        /// Its id
        group: String,
        /// user:ID, service:ID, or the id of a user
        member: String,
    },
}

pub(in crate::cli) async fn run(context: &Context, command: &GroupsCommand) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        GroupsCommand::List { tenant } => {
            let rows = all(&client, GROUPS, "List", json!({ "tenant": tenant }), "groups", u32::MAX).await?;
            let columns = [("ID", "id"), ("NAME", "name"), ("DESCRIPTION", "description"), ("TENANT", "tenant")];
            context.emit(&rows, |rows| tabled("no groups", rows, &columns));
        }
        GroupsCommand::Create { name, description, tenant } => {
            let asked = json!({ "name": name, "description": description, "tenant": tenant });
            let made: Value = client.rpc(GROUPS, "Create", &asked).await?;
            context.emit(&made, |made| {
                format!("group {} was made; its id is {}", text(made, "name"), text(made, "id"))
            });
        }
        GroupsCommand::Delete { group } => {
            let done: Value = client.rpc(GROUPS, "Delete", &json!({ "id": group })).await?;
            context.emit(&done, |_| format!("group {group} was deleted"));
        }
        GroupsCommand::Members { group } => {
            let members = all(&client, GROUPS, "ListMembers", json!({ "group": group }), "members", u32::MAX).await?;
            let cells = |members: &Vec<Value>| {
                let cells = members.iter().map(|member| vec![member.as_str().unwrap_or_default().to_owned()]);
                table("nobody", members.is_empty(), &["MEMBER"], cells)
            };
            context.emit(&members, cells);
        }
        GroupsCommand::Add { group, member } => change(context, &client, "AddMember", group, member).await?,
        GroupsCommand::Remove { group, member } => change(context, &client, "RemoveMember", group, member).await?,
    }
    Ok(Exit::Ok)
}

async fn change(context: &Context, client: &AdminClient, method: &str, group: &str, member: &str) -> Result<(), Failure> {
    let member = match member.contains(':') {
        true => member.to_owned(),
        false => format!("user:{member}"),
    };
    let done: Value = client.rpc(GROUPS, method, &json!({ "group": group, "member": member })).await?;
    let changed = done.get("changed").and_then(Value::as_bool).unwrap_or(false);
    context.emit(&done, |_| match (changed, method) {
        (true, "AddMember") => format!("{member} is in group {group} now"),
        (true, _) => format!("{member} is in group {group} no longer"),
        (false, _) => "nothing was to be done".to_owned(),
    });
    Ok(())
}
