//! `wharf sessions`: who is logged in where.

use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::{pages, render};

/// What to do with sessions.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum SessionsCommand {
    /// Your sessions
    List {
        /// Those of everybody in your tenant
        #[arg(long)]
        all: bool,
        /// Those of one account, such as user:ID
        #[arg(long, value_name = "SUBJECT", conflicts_with = "all")]
        subject: Option<String>,
    },
    /// End sessions
    Revoke {
        /// Id of one of your sessions
        #[arg(required_unless_present_any = ["everywhere", "subject"])]
        id: Option<String>,
        /// All of your sessions but this one
        #[arg(long, conflicts_with_all = ["id", "subject"])]
        everywhere: bool,
        /// All of somebody else's, such as user:ID
        #[arg(long, value_name = "SUBJECT", conflicts_with = "id")]
        subject: Option<String>,
        /// The session is somebody else's
        #[arg(long, requires = "id")]
        other: bool,
    },
}

/// A session, as the host tells it.
#[derive(Serialize, Deserialize)]
#[serde(default, rename_all(deserialize = "camelCase"))]
#[derive(Default)]
struct Session {
    id: String,
    subject: String,
    name: String,
    client_id: String,
    created: Option<String>,
    used: Option<String>,
    expires: Option<String>,
    address: String,
    user_agent: String,
    current: bool,
}

const SERVICE: &str = "wharf.auth.v1.Sessions";

pub(super) async fn run(command: SessionsCommand, context: &Context) -> Result<Exit, Failure> {
    let client = context.client()?;
    match command {
        SessionsCommand::List { all, subject } => {
            let (method, asked) = match (all, subject) {
                (false, None) if client.is_somebody() => ("ListMine", json!({})),
                (_, subject) => ("List", json!({ "subject": subject.unwrap_or_default() })),
            };
            let sessions: Vec<Session> = pages::all(&client, SERVICE, method, asked, "sessions", u32::MAX).await?;
            context.emit(&sessions, |sessions| table(sessions));
        }
        SessionsCommand::Revoke {
            id,
            everywhere,
            subject,
            other,
        } => {
            let (method, request) = match (id, subject) {
                _ if everywhere => ("LogOutEverywhere", json!({ "keepCurrent": true })),
                (Some(id), _) if other || !client.is_somebody() => ("Revoke", json!({ "id": id })),
                (Some(id), _) => ("RevokeMine", json!({ "id": id })),
                (None, subject) => ("Revoke", json!({ "subject": subject.unwrap_or_default() })),
            };
            let answer: Value = client.rpc(SERVICE, method, &request).await?;
            let revoked = answer.get("revoked").and_then(Value::as_u64).unwrap_or_default();
            context.emit(&json!({ "revoked": revoked }), |_| format!("{revoked} sessions ended"));
        }
    }
    Ok(Exit::Ok)
}

fn table(sessions: &[Session]) -> String {
    if sessions.is_empty() {
        return "no sessions".to_owned();
    }
    let rows = sessions.iter().map(|session| {
        let time = |time: &Option<String>| time.clone().unwrap_or_else(|| "-".to_owned());
        vec![
            session.id.clone(),
            session.subject.clone(),
            session.client_id.clone(),
            session.address.clone(),
            time(&session.used),
            time(&session.expires),
            if session.current { "this one" } else { "" }.to_owned(),
        ]
    });
    render::table(&["ID", "SUBJECT", "CLIENT", "ADDRESS", "USED", "EXPIRES", ""], rows)
}
