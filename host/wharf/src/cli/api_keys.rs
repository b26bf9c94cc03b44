//! `wharf api-keys`: secrets of programs that stand for an account.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{pages, render};

/// What to do with API keys.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum ApiKeysCommand {
    /// Make a key; it is printed once and never again
    Create {
        /// What it is for
        name: String,
        /// Permissions to restrict it to, as globs such as "blog.*" [default: all of its account]
        #[arg(long, value_name = "SCOPE")]
        scope: Vec<String>,
        /// Days until it expires [default: as long as the host allows]
        #[arg(long, value_name = "DAYS")]
        days: Option<u64>,
        /// Id of another account that it stands for
        #[arg(long, value_name = "ID")]
        account: Option<String>,
    },
    /// Your keys
    List {
        /// Those of everybody in your tenant
        #[arg(long)]
        all: bool,
    },
    /// Let a key count no more
    Revoke {
        /// Id of the key
        id: String,
        /// It is somebody else's
        #[arg(long)]
        other: bool,
    },
}

/// A key, as the host tells it.
#[derive(Serialize, Deserialize)]
struct Key {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    hint: String,
    created: Option<String>,
    expires: Option<String>,
    revoked: Option<String>,
    used: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Made {
    key: String,
    about: Key,
}

const SERVICE: &str = "wharf.auth.v1.ApiKeys";

pub(super) async fn run(command: ApiKeysCommand, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        ApiKeysCommand::Create {
            name,
            scope,
            days,
            account,
        } => {
            // 64-bit numbers are texts in the JSON of protobuf.
            let seconds = days.unwrap_or_default().saturating_mul(24 * 60 * 60).to_string();
            let key = json!({ "name": name, "scopes": scope, "lifetimeSeconds": seconds });
            let made: Made = match account {
                None if !client.is_somebody() => {
                    let message = "found no account, expected --account ID: the admin socket speaks for nobody";
                    return Err(Failure::usage(
                        message,
                        "or --server URL, to make a key for whoever is logged in there",
                    ));
                }
                None => client.rpc(SERVICE, "Create", &key).await?,
                Some(account) => client.rpc(SERVICE, "CreateFor", &json!({ "account": account, "key": key })).await?,
            };
            context.emit(&made, |made| made.key.clone());
            context.note(&format!(
                "key {} is shown this once; keep it where nobody else reads it",
                made.about.id
            ));
        }
        ApiKeysCommand::List { all } => {
            let method = if all || !client.is_somebody() { "List" } else { "ListMine" };
            let keys: Vec<Key> = pages::all(&client, SERVICE, method, json!({}), "keys", u32::MAX).await?;
            context.emit(&keys, |keys| table(keys));
        }
        ApiKeysCommand::Revoke { id, other } => {
            let method = if other || !client.is_somebody() { "Revoke" } else { "RevokeMine" };
            let _: Value = client.rpc(SERVICE, method, &json!({ "id": id })).await?;
            context.emit(&json!({ "id": id, "done": "revoked" }), |_| format!("key {id} counts no more"));
        }
    }
    Ok(Exit::Ok)
}

fn table(keys: &[Key]) -> String {
    if keys.is_empty() {
        return "no API keys".to_owned();
    }
    let rows = keys.iter().map(|key| {
        let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
        let scopes = if key.scopes.is_empty() {
            "all".to_owned()
        } else {
            key.scopes.join(" ")
        };
        let state = if key.revoked.is_some() { "revoked" } else { "counts" };
        vec![
            key.id.clone(),
            key.name.clone(),
            key.subject.clone(),
            format!("{}...", key.hint),
            scopes,
            state.to_owned(),
            time(&key.expires),
            time(&key.used),
        ]
    });
    render::table(&["ID", "NAME", "SUBJECT", "KEY", "SCOPES", "STATE", "EXPIRES", "USED"], rows)
}
