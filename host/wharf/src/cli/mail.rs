//! `wharf mail`: what modules have queued and sent.

use clap::Subcommand;
use wharf_host::mail::MailRow;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

/// What to do with mail.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum MailCommand {
    /// Mails of a module, newest first.
    List {
        /// Module id.
        module: String,
        /// Only those that are waiting, leased, dead or done.
        #[arg(long)]
        state: Option<String>,
        /// How many.
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One mail, with its texts and why it was not sent.
    Show {
        /// Module id.
        module: String,
        /// Id of the mail.
        id: String,
    },
    /// Tries dead mails again: all of a module, or one.
    Retry {
        /// Module id.
        module: String,
        /// Id of the mail.
        id: Option<String>,
    },
}

pub(super) async fn run(context: &Context, command: &MailCommand) -> Result<Exit, Failure> {
    match command {
        MailCommand::List { module, state, limit } => {
            let state = state
                .as_ref()
                .map(|state| format!("&state={}", render::in_query(state)))
                .unwrap_or_default();
            let path = format!("/mail?module={}&limit={limit}{state}", render::in_query(module));
            let rows: Vec<MailRow> = context.client()?.get(&path).await?;
            context.emit(&rows, |rows| table(rows));
        }
        MailCommand::Show { module, id } => {
            let path = format!("/mail?module={}&id={}", render::in_query(module), render::in_query(id));
            let rows: Vec<MailRow> = context.client()?.get(&path).await?;
            let Some(row) = rows.into_iter().next() else {
                let message = format!("module {module} has no mail {id}");
                return Err(Failure::failed(
                    &message,
                    "mails that were sent are kept for mail.keep",
                    "`wharf mail list` shows those there are",
                ));
            };
            context.emit(&row, whole);
        }
        MailCommand::Retry { module, id } => {
            let id = id.as_ref().map(|id| format!("&id={}", render::in_query(id))).unwrap_or_default();
            let count: u64 = context
                .client()?
                .post(&format!("/mail/retry?module={}{id}", render::in_query(module)))
                .await?;
            context.emit(&count, |count| format!("{count} mails are tried again"));
        }
    }
    Ok(Exit::Ok)
}

fn table(rows: &[MailRow]) -> String {
    if rows.is_empty() {
        return "no mail".to_owned();
    }
    let rows = rows.iter().map(|row| {
        vec![
            row.id.clone(),
            render::word(row.state),
            row.attempts.to_string(),
            row.template.clone(),
            row.to.join(", "),
            row.subject.clone(),
        ]
    });
    render::table(&["ID", "STATE", "TRIES", "TEMPLATE", "TO", "SUBJECT"], rows)
}

fn whole(row: &MailRow) -> String {
    let error = if row.error.is_empty() {
        String::new()
    } else {
        format!("error    {}\n", row.error.join(": "))
    };
    format!(
        "id       {}\nstate    {}\ntries    {}\ntemplate {}\nto       {}\nsubject  {}\n{error}\n{}",
        row.id,
        render::word(row.state),
        row.attempts,
        row.template,
        row.to.join(", "),
        row.subject,
        row.text.as_deref().unwrap_or_default()
    )
}
