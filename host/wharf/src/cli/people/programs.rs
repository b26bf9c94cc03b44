//! `wharf service-accounts`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::super::pages::all;
use super::{listed, tabled, text};
use crate::cli::context::Context;
use crate::cli::exit::{Exit, Failure};

const ACCOUNTS: &str = "wharf.identity.v1.ServiceAccounts";

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAccountsCommand {
    /// Service accounts of a tenant
    List {
        /// Tenant [default: default]
        #[arg(long, default_value = "")]
        tenant: String,
    },
    /// Make one, and print its secret, which is shown this once
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
    /// Everything about one
    Show {
        /// Its id
        id: String,
    },
    /// Make a new secret, and print it; the one before does not count any more
    Rotate {
        /// Its id
        id: String,
    },
    /// Take one out of use
    Suspend {
        /// Its id
        id: String,
    },
    /// Let one be used again
    Activate {
        /// Its id
        id: String,
    },
    /// Delete one
    Delete {
        /// Its id
        id: String,
    },
}

pub(in crate::cli) async fn run(context: &Context, command: &ServiceAccountsCommand) -> Result<Exit, Failure> {
    use ServiceAccountsCommand as Of;
    let client = context.client()?;
    let (method, asked) = match command {
        Of::List { tenant } => {
            let rows = all(&client, ACCOUNTS, "List", json!({ "tenant": tenant }), "accounts", u32::MAX).await?;
            let columns = [("ID", "id"), ("NAME", "name"), ("STATUS", "status"), ("TENANT", "tenant")];
            context.emit(&rows, |rows| tabled("no service accounts", rows, &columns));
            return Ok(Exit::Ok);
        }
        Of::Create { name, description, tenant } => ("Create", json!({ "name": name, "description": description, "tenant": tenant })),
        Of::Show { id } => ("Get", json!({ "id": id })),
        Of::Rotate { id } => ("Rotate", json!({ "id": id })),
        Of::Suspend { id } => ("SetStatus", json!({ "id": id, "status": "suspended" })),
        Of::Activate { id } => ("SetStatus", json!({ "id": id, "status": "active" })),
        Of::Delete { id } => ("Delete", json!({ "id": id })),
    };
    let answer: Value = client.rpc(ACCOUNTS, method, &asked).await?;
    context.emit(&answer, |answer| match command {
        Of::Create { .. } | Of::Rotate { .. } => secret(answer),
        Of::Delete { id } => format!("service account {id} was deleted"),
        Of::Suspend { .. } | Of::Activate { .. } => format!("{} is {}", text(answer, "name"), text(answer, "status")),
        _ => listed(answer),
    });
    Ok(Exit::Ok)
}

fn secret(answer: &Value) -> String {
    let id = answer.get("account").map_or("", |account| text(account, "id"));
    format!(
        "client id      {id}\nclient secret  {}\n\nThe secret is not shown again.",
        text(answer, "secret")
    )
}
