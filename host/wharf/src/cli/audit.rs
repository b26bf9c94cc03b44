//! `wharf audit`: the record of who did what, and whether it is whole.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use wharf_audit::chain::Checkpoint;
use wharf_audit::verify::{Report, check_file};

use super::client::AdminClient;
use super::context::Context;
use super::events::table;
use super::exit::{Exit, Failure};
use super::pages::all;
use super::people::{tabled, text};

const RECORDS: &str = "wharf.audit.v1.Records";

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Entries, newest first
    List {
        #[command(flatten)]
        when: When,
        /// Only of this actor, such as user:ID; * stands for any text
        #[arg(long, default_value = "")]
        actor: String,
        /// Only this action, such as identity.user.*
        #[arg(long, default_value = "")]
        action: String,
        /// Only on this object
        #[arg(long, default_value = "")]
        object: String,
        /// Only with this outcome
        #[arg(long, value_parser = ["success", "denied", "failure"])]
        outcome: Option<String>,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// Go through the chains and report the first bad place of each; with --file without a host
    Verify {
        /// Only this chain
        #[arg(long, default_value = "")]
        chain: String,
        /// From this entry
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        from: u64,
        /// To this entry
        #[arg(long, value_name = "SEQ", default_value_t = 0)]
        to: u64,
        /// An exported file, instead of what a host keeps
        #[arg(long, value_name = "PATH", conflicts_with_all = ["chain", "from", "to"])]
        file: Option<PathBuf>,
        /// Checkpoints that were kept elsewhere, from `wharf audit checkpoints --json`
        #[arg(long, value_name = "PATH")]
        checkpoints: Option<PathBuf>,
        /// Public key that checkpoints must have, in hexadecimal; with --file
        #[arg(long, value_name = "HEX", requires = "file")]
        key: Option<String>,
    },
    /// Write entries with their hashes, one a line
    Export {
        #[command(flatten)]
        when: When,
        /// File to write [default: standard output]
        #[arg(long, value_name = "PATH")]
        out: Option<PathBuf>,
    },
    /// Signed states of the chains: keep them elsewhere, and a cut tail shows
    Checkpoints {
        /// Only of this chain
        #[arg(long, default_value = "")]
        chain: String,
        /// At most so many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
}

/// Whose entries, and of which time.
#[derive(Debug, Args)]
pub(crate) struct When {
    /// Only of this tenant
    #[arg(long, default_value = "")]
    tenant: String,
    /// Only since, RFC 3339
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only until, RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

impl When {
    fn asked(&self) -> Value {
        json!({ "tenant": self.tenant, "since": self.since, "until": self.until })
    }
}

pub(super) async fn run(context: &Context, command: &AuditCommand) -> Result<Exit, Failure> {
    match command {
        AuditCommand::List {
            when,
            actor,
            action,
            object,
            outcome,
            limit,
        } => {
            let mut asked = when.asked();
            let outcome = outcome.as_ref().map(|outcome| format!("OUTCOME_{}", outcome.to_uppercase()));
            for (field, value) in [
                ("actor", json!(actor)),
                ("action", json!(action)),
                ("object", json!(object)),
                ("outcome", json!(outcome)),
            ] {
                if let Some(fields) = asked.as_object_mut() {
                    fields.insert(field.to_owned(), value);
                }
            }
            let rows = all(&context.client()?, RECORDS, "List", asked, "entries", *limit).await?;
            context.emit(&rows, |rows| entries(rows));
            Ok(Exit::Ok)
        }
        AuditCommand::Verify {
            chain,
            from,
            to,
            file,
            checkpoints,
            key,
        } => {
            let kept = checkpoints.as_deref().map(read_checkpoints).transpose()?.unwrap_or_default();
            match file {
                Some(file) => verify_file(context, file, kept, key.as_deref()),
                None => {
                    let asked = json!({ "chain": chain, "fromSeq": from, "toSeq": to, "checkpoints": kept });
                    verify(context, &context.client()?, &asked).await
                }
            }
        }
        AuditCommand::Export { when, out } => export(context, &context.client()?, when, out.as_deref()).await,
        AuditCommand::Checkpoints { chain, limit } => {
            let rows = all(
                &context.client()?,
                RECORDS,
                "ListCheckpoints",
                json!({ "chain": chain }),
                "checkpoints",
                *limit,
            )
            .await?;
            let columns = [
                ("CHAIN", "chain"),
                ("SEQ", "seq"),
                ("COUNT", "count"),
                ("AT", "at"),
                ("HASH", "hash"),
                ("KEY", "key"),
            ];
            context.emit(&rows, |rows| tabled("no checkpoints", rows, &columns));
            Ok(Exit::Ok)
        }
    }
}

fn entries(rows: &[Value]) -> String {
    let header = ["AT", "ACTOR", "ACTION", "OBJECT", "OUTCOME", "TENANT", "FROM", "PLACE"];
    let cells = rows.iter().map(|row| {
        let entry = row.get("entry").unwrap_or(&Value::Null);
        let mut cells: Vec<String> = ["at", "actor", "action", "object"]
            .iter()
            .map(|field| text(entry, field).to_owned())
            .collect();
        let outcome = text(entry, "outcome").trim_start_matches("OUTCOME_").to_lowercase();
        let times = entry.get("count").and_then(Value::as_u64).filter(|count| *count > 1);
        cells.push(times.map_or(outcome.clone(), |times| format!("{outcome} x{times}")));
        cells.push(text(entry, "tenant").to_owned());
        cells.push(text(entry, "from").to_owned());
        cells.push(format!("{} {}", text(row, "chain"), text(row, "seq")));
        cells
    });
    table("no entries", rows.is_empty(), &header, cells)
}

async fn verify(context: &Context, client: &AdminClient, asked: &Value) -> Result<Exit, Failure> {
    let answer: Value = client.rpc(RECORDS, "Verify", asked).await?;
    let chains = answer.get("chains").and_then(Value::as_array).cloned().unwrap_or_default();
    let is_bad = chains.iter().any(|chain| chain.get("finding").is_some());
    context.emit(&answer, |_| reports(&chains));
    Ok(if is_bad { Exit::Findings } else { Exit::Ok })
}

fn verify_file(context: &Context, file: &Path, kept: Vec<Checkpoint>, key: Option<&str>) -> Result<Exit, Failure> {
    let content = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error.to_string()))?;
    let found = check_file(&content, &kept, key).map_err(|error| unreadable(file, &error.to_string()))?;
    let is_bad = found.iter().any(|report| report.finding.is_some());
    context.emit(&found, |found| {
        let chains: Vec<Value> = found.iter().map(as_answer).collect();
        reports(&chains)
    });
    if key.is_none() {
        context.note("checkpoints were held against the key they name themselves; --key says which one it must be");
    }
    Ok(if is_bad { Exit::Findings } else { Exit::Ok })
}

/// As a host would have answered.
fn as_answer(report: &Report) -> Value {
    let mut answer = json!({ "chain": report.chain, "good": report.good, "firstSeq": report.first_seq, "lastSeq": report.last_seq, "checkpoints": report.checkpoints });
    if let (Some(finding), Some(fields)) = (&report.finding, answer.as_object_mut()) {
        let finding = json!({ "kind": finding.kind.name(), "seq": finding.seq, "detail": finding.detail });
        fields.insert("finding".to_owned(), finding);
    }
    answer
}

fn reports(chains: &[Value]) -> String {
    if chains.is_empty() {
        return "nothing was recorded yet".to_owned();
    }
    let lines = chains.iter().map(|chain| {
        let (name, good, checkpoints) = (text(chain, "chain"), plain(chain, "good"), plain(chain, "checkpoints"));
        match chain.get("finding") {
            None => format!("{name}: whole, {good} entries, {checkpoints} checkpoints agree"),
            Some(finding) => format!(
                "{name}: {} at entry {}: {}; {good} entries are in order before it",
                text(finding, "kind"),
                plain(finding, "seq"),
                text(finding, "detail")
            ),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A number; 64-bit integers are texts in proto3 JSON, and 0 is left out.
fn plain(answer: &Value, field: &str) -> String {
    match answer.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => "0".to_owned(),
    }
}

async fn export(context: &Context, client: &AdminClient, when: &When, out: Option<&Path>) -> Result<Exit, Failure> {
    let failed = |error: std::io::Error| Failure::failed("cannot write the export", &error.to_string(), "");
    let mut to: Box<dyn Write + Send> = match out {
        Some(path) => Box::new(BufWriter::new(File::create(path).map_err(failed)?)),
        None => Box::new(std::io::stdout()),
    };
    let (mut token, mut lines) = (String::new(), 0_u64);
    loop {
        let asked = json!({ "what": when.asked(), "pageToken": token });
        let page: Value = client.rpc(RECORDS, "ExportPage", &asked).await?;
        for line in page.get("lines").and_then(Value::as_array).into_iter().flatten() {
            writeln!(to, "{}", line.as_str().unwrap_or_default()).map_err(failed)?;
            lines += 1;
        }
        text(&page, "nextPageToken").clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    to.flush().map_err(failed)?;
    if let Some(path) = out {
        context.emit(&json!({ "lines": lines, "file": path }), |_| {
            format!("{lines} lines were written to {}", path.display())
        });
    }
    Ok(Exit::Ok)
}

fn read_checkpoints(path: &Path) -> Result<Vec<Checkpoint>, Failure> {
    let content = std::fs::read_to_string(path).map_err(|error| unreadable(path, &error.to_string()))?;
    serde_json::from_str(&content).map_err(|error| unreadable(path, &error.to_string()))
}

fn unreadable(path: &Path, why: &str) -> Failure {
    Failure::usage(
        format!("{} cannot be read: {why}", path.display()),
        "`wharf audit export` and `wharf audit checkpoints --json` write what is read here",
    )
}
