//! Queues mails and sends them: one lane a module.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rate::Rate;
use super::template::{Draft, TemplateError, Templates};
use crate::failpoint;
use crate::ports::database::{DbError, On};
use crate::ports::mail::{Mail, MailError, Mailer};
use crate::ports::traces::SpanKind;
use crate::queue::{
    Backoff, Filter, Item, Kind, Lane, LaneSettings, NewItem, Queue, Queues, State, TRACEPARENT, Verdict, Work, WorkFuture,
};
use crate::telemetry::{ActiveSpan, Metrics, TraceContext, Tracer};

/// The name of the lane, and of every item in it.
const LANE: &str = "outbox";
/// How often mails that were kept long enough are deleted.
const TIDY: Duration = Duration::from_secs(3600);

/// What mail goes by.
#[derive(Clone, Debug)]
pub struct MailSettings {
    /// Who mails are from: `Name <name@example.org>`.
    pub from: String,
    /// Mails a module may queue in a minute.
    pub per_minute: u32,
    /// Tries before a mail is dead.
    pub attempts: u32,
    /// How long mails that were sent are kept to be looked at.
    pub keep: Duration,
    /// Mails of one module that are being sent at a time.
    pub concurrency: usize,
    /// Delays between tries.
    pub backoff: Backoff,
    /// Takes a span of each try.
    pub tracer: Tracer,
}

/// Mail of all modules. Clones are the same.
#[derive(Clone)]
pub struct MailHub(Arc<Inner>);

struct Inner {
    queues: Arc<Queues>,
    mailer: Arc<dyn Mailer>,
    settings: MailSettings,
    rate: Rate,
    metrics: Metrics,
    lanes: Mutex<HashMap<String, Lane>>,
}

/// A mail in a queue, as operators see it. The texts are only in the answer about a single one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct MailRow {
    /// Whose.
    pub module: String,
    /// Its id, which is the first part of its Message-ID.
    pub id: String,
    /// Where it is in its life.
    pub state: State,
    /// Tries so far.
    pub attempts: u32,
    /// When it was queued, milliseconds since the epoch.
    pub created_ms: i64,
    /// When it is due, milliseconds since the epoch.
    pub due_ms: i64,
    /// Name of its template.
    pub template: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// Its subject.
    pub subject: String,
    /// Why the last try failed; empty when none did.
    pub error: Vec<String>,
    /// The text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The HTML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub html: Option<String>,
}

/// Why a mail was not queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// Something is wrong with the template or its data.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// Not an address.
    #[error("found {found:?} as {what}, expected an address such as ada@example.org")]
    Address {
        /// Which it is.
        what: &'static str,
        /// What was found.
        found: String,
    },
    /// Too many in a minute.
    #[error("the module has queued {0} mails in a minute, which is its limit; try again later, or raise mail.rate_per_minute")]
    TooMany(u32),
    /// The database does not take it.
    #[error("the mail cannot be queued: {0}")]
    Database(#[from] DbError),
}

struct Sending {
    module: String,
    mailer: Arc<dyn Mailer>,
    metrics: Metrics,
    tracer: Tracer,
}

impl Default for MailSettings {
    fn default() -> Self {
        Self {
            from: "Wharf <wharf@localhost>".to_owned(),
            per_minute: 600,
            attempts: 12,
            keep: Duration::from_secs(7 * 24 * 3600),
            concurrency: 4,
            backoff: Backoff {
                first: Duration::from_secs(5),
                most: Duration::from_secs(3600),
            },
            tracer: Tracer::off(),
        }
    }
}

impl MailHub {
    /// Over these queues.
    #[must_use]
    pub fn new(queues: Arc<Queues>, mailer: Arc<dyn Mailer>, metrics: Metrics, settings: MailSettings) -> Self {
        Self(Arc::new(Inner {
            rate: Rate::new(settings.per_minute),
            queues,
            mailer,
            settings,
            metrics,
            lanes: Mutex::default(),
        }))
    }

    /// Begins to send what a module has queued, if that has not begun.
    ///
    /// # Errors
    /// What the database says.
    pub async fn start(&self, module: &str) -> Result<Queue, DbError> {
        let queue = self.0.queues.of(module).await?;
        let mut lanes = self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        if !lanes.contains_key(module) {
            let settings = LaneSettings {
                batch: 1,
                concurrency: self.0.settings.concurrency,
                backoff: self.0.settings.backoff,
                keep: true,
                ..LaneSettings::new(Kind::MAIL, LANE)
            };
            let work = Sending {
                module: module.to_owned(),
                mailer: self.0.mailer.clone(),
                metrics: self.0.metrics.clone(),
                tracer: self.0.settings.tracer.clone(),
            };
            lanes.insert(module.to_owned(), Lane::start(queue.clone(), settings, Arc::new(work)));
            tokio::spawn(tidy(queue.clone(), self.0.settings.keep));
        }
        Ok(queue)
    }

    /// Fills a template and queues the mail: when the transaction commits, or durably by itself. Gives its id.
    ///
    /// # Errors
    /// [`QueueError`]
    pub async fn queue(&self, module: &str, on: On, templates: &Templates, draft: &Draft) -> Result<String, QueueError> {
        let settings = &self.0.settings;
        let rendered = templates.render(draft)?;
        for to in &draft.to {
            check_address("a receiver", to)?;
        }
        if draft.to.is_empty() {
            return Err(QueueError::Address {
                what: "a receiver",
                found: String::new(),
            });
        }
        if !draft.reply_to.is_empty() {
            check_address("the address for answers", &draft.reply_to)?;
        }
        if !self.0.rate.take(module, Instant::now()) {
            return Err(QueueError::TooMany(settings.per_minute));
        }
        let queue = self.start(module).await?;
        let id = Uuid::now_v7().simple().to_string();
        let mail = Mail {
            from: settings.from.clone(),
            to: draft.to.clone(),
            reply_to: Some(draft.reply_to.clone()).filter(|address| !address.is_empty()),
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            message_id: format!("{id}@{}", domain(&settings.from)),
            made_ms: queue.now_ms(),
        };
        let mut item = NewItem::new(LANE, serde_json::to_vec(&mail).map_err(|error| broken(&error))?);
        item.id.clone_from(&id);
        item.max_attempts = settings.attempts;
        item.headers.insert("template".to_owned(), draft.template.clone());
        if !draft.traceparent.is_empty() {
            item.headers.insert(TRACEPARENT.to_owned(), draft.traceparent.clone());
        }
        queue.put(on, Kind::MAIL, &[item]).await?;
        failpoint::hit("mail.queued").await.map_err(|injected| broken(&injected))?;
        self.0
            .metrics
            .own_counter("wharf_mail_queued_total", &[("module", module)])
            .increment(1);
        Ok(id)
    }

    /// Mails of a module, newest first, or one of them with its texts.
    ///
    /// # Errors
    /// What the database says.
    pub async fn list(&self, module: &str, id: Option<&str>, state: Option<State>, limit: usize) -> Result<Vec<MailRow>, DbError> {
        let queue = self.0.queues.of(module).await?;
        let filter = Filter {
            id: id.map(str::to_owned),
            state,
            limit,
            ..Filter::default()
        };
        let items = queue.list(Kind::MAIL, &filter).await?;
        Ok(items.iter().map(|item| row(module, item, id.is_some())).collect())
    }

    /// Lets dead mails be tried again: one, or all of a module. Gives how many.
    ///
    /// # Errors
    /// What the database says.
    pub async fn retry(&self, module: &str, id: Option<&str>) -> Result<u64, DbError> {
        let queue = self.start(module).await?;
        let filter = Filter {
            id: id.map(str::to_owned),
            ..Filter::default()
        };
        queue.retry(Kind::MAIL, &filter).await
    }

    /// Stops to send: what is being sent has so much time to end.
    pub async fn stop(&self, time: Duration) {
        let lanes = std::mem::take(&mut *self.0.lanes.lock().unwrap_or_else(PoisonError::into_inner));
        futures_util::future::join_all(lanes.into_values().map(|lane| lane.drain(time))).await;
    }
}

impl Work for Sending {
    fn run(&self, items: Vec<Item>) -> WorkFuture<'_> {
        Box::pin(async move {
            let mut verdicts = Vec::with_capacity(items.len());
            for item in &items {
                verdicts.push(self.send(item).await);
            }
            verdicts
        })
    }
}

impl Sending {
    async fn send(&self, item: &Item) -> Verdict {
        let mut span = self.span(item);
        let (outcome, verdict) = match self.try_to_send(item).await {
            Ok(()) => ("sent", Verdict::Done),
            Err(error @ MailError::Refused { .. }) => ("refused", Verdict::Hopeless(chain(&error))),
            Err(error) => ("failed", Verdict::Failed(chain(&error))),
        };
        let labels = [("module", self.module.as_str()), ("outcome", outcome)];
        self.metrics.own_counter("wharf_mail_tries_total", &labels).increment(1);
        if outcome != "sent" {
            span.fail(outcome);
            tracing::warn!(
                module.id = self.module,
                mail.id = item.id,
                attempt = item.attempts,
                of = item.max_attempts,
                outcome,
                "a mail was not sent"
            );
        }
        verdict
    }

    /// Below the call that queued it. Who gets it is not in it.
    fn span(&self, item: &Item) -> ActiveSpan {
        let queued = item
            .headers
            .get(TRACEPARENT)
            .and_then(|header| TraceContext::parse(header.as_bytes()));
        let mut span = match queued {
            Some(queued) => self.tracer.span(&queued, SpanKind::Client, "send mail"),
            None => ActiveSpan::none(),
        };
        if span.is_recorded() {
            span = span.of(&self.module, 0).with("wharf.attempt", item.attempts);
            span.set("wharf.mail.template", item.headers.get("template").cloned().unwrap_or_default());
        }
        span
    }

    async fn try_to_send(&self, item: &Item) -> Result<(), MailError> {
        let mail: Mail = serde_json::from_slice(&item.payload).map_err(|error| MailError::Refused {
            answer: format!("it cannot be read in the queue: {error}"),
        })?;
        let later = |injected: failpoint::Injected| MailError::Later {
            answer: injected.to_string(),
            source: None,
        };
        failpoint::hit("mail.sending").await.map_err(later)?;
        self.mailer.send(&mail).await?;
        failpoint::hit("mail.sent").await.map_err(later)
    }
}

/// Deletes what was sent long ago.
async fn tidy(queue: Queue, keep: Duration) {
    loop {
        let keep_ms = i64::try_from(keep.as_millis()).unwrap_or(i64::MAX);
        let filter = Filter {
            state: Some(State::Done),
            ended_before_ms: Some(queue.now_ms().saturating_sub(keep_ms)),
            ..Filter::default()
        };
        if let Err(error) = queue.purge(Kind::MAIL, &filter).await {
            tracing::debug!(module.id = queue.module(), error = %error, "old mails could not be deleted; it is tried again");
        }
        tokio::time::sleep(TIDY).await;
    }
}

fn row(module: &str, item: &Item, is_whole: bool) -> MailRow {
    let mail: Option<Mail> = serde_json::from_slice(&item.payload).ok();
    let (to, subject, text, html) = mail.map_or_else(Default::default, |mail| (mail.to, mail.subject, Some(mail.text), mail.html));
    MailRow {
        module: module.to_owned(),
        id: item.id.clone(),
        state: item.state,
        attempts: item.attempts,
        created_ms: item.created_ms,
        due_ms: item.due_ms,
        template: item.headers.get("template").cloned().unwrap_or_default(),
        to,
        subject,
        error: item.errors.last().map(|attempt| attempt.error.clone()).unwrap_or_default(),
        text: text.filter(|_| is_whole),
        html: html.filter(|_| is_whole),
    }
}

/// A mailbox, with a name before it or not. Nothing in it can begin another header.
fn check_address(what: &'static str, found: &str) -> Result<(), QueueError> {
    let is_one = !found.chars().any(char::is_control) && found.len() <= 320 && found.parse::<lettre::message::Mailbox>().is_ok();
    if is_one {
        return Ok(());
    }
    Err(QueueError::Address {
        what,
        found: found.chars().filter(|c| !c.is_control()).take(100).collect(),
    })
}

fn domain(from: &str) -> &str {
    let address = from.rsplit_once('<').map_or(from, |(_, address)| address).trim_end_matches('>');
    address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
}

fn chain(error: &(dyn std::error::Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect()
}

fn broken(error: &dyn fmt::Display) -> DbError {
    DbError::new(crate::ports::database::DbErrorKind::Other, error.to_string())
}

impl fmt::Debug for MailHub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailHub").field("mailer", &self.0.mailer).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
