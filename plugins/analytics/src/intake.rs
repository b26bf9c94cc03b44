//! What clients send to be counted, checked, and counted in a transaction of its own.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sea_orm::TransactionTrait;
use wharf_sdk::Tenant;

use crate::Analytics;
use crate::domain::{MetricName, Record};
use crate::error::{Error, Result};
use crate::recorder::{Counted, EventId, Outcome};

/// Longest id of an event.
const ID_CHARS: usize = 64;
/// Longest path of a page view.
const PATH_CHARS: usize = 200;

/// One custom event.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewEvent {
    pub(crate) metric: String,
    pub(crate) at: Option<Timestamp>,
    pub(crate) value: Option<i64>,
    pub(crate) dimensions: BTreeMap<String, String>,
    pub(crate) id: Option<String>,
}

/// One look at a page.
#[derive(Clone, Debug)]
pub(crate) struct NewView {
    pub(crate) path: String,
    pub(crate) referrer: Option<String>,
    pub(crate) at: Option<Timestamp>,
    pub(crate) id: Option<String>,
}

impl Analytics {
    /// Counts custom events: all of them, or none.
    pub(crate) async fn record(&self, tenant: &Tenant, events: &[NewEvent]) -> Result<Outcome> {
        let now = Timestamp::now().as_second();
        let checked = events.iter().enumerate().map(|(index, event)| {
            let of_event = |error: Error| Error::Event {
                index,
                why: error.to_string(),
            };
            self.event(event, now).map_err(of_event)
        });
        self.keep(tenant, &checked.collect::<Result<Vec<_>>>()?, now).await
    }

    /// Counts a look at a page.
    pub(crate) async fn view(&self, tenant: &Tenant, view: &NewView) -> Result<Outcome> {
        let now = Timestamp::now().as_second();
        // What follows the path may hold what belongs to one person only.
        let path = view.path.split(['?', '#']).next().unwrap_or_default();
        if !path.starts_with('/') || path.chars().count() > PATH_CHARS {
            return Err(Error::Invalid(format!(
                "found a path of {} characters, expected at most {PATH_CHARS}, beginning with /",
                path.chars().count()
            )));
        }
        let at = seconds(view.at, now);
        let referrer = view.referrer.as_deref().map(|referrer| ("referrer", referrer));
        let by = std::iter::once(("path", path)).chain(referrer);
        let counted = Counted {
            records: vec![Record::asked(MetricName::known("page.viewed"), at, 1, by, now)?],
            id: self.id(view.id.as_deref(), view.at, now)?,
        };
        self.keep(tenant, &[counted], now).await
    }

    fn event(&self, event: &NewEvent, now: i64) -> Result<Counted> {
        let by = event.dimensions.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let metric = MetricName::parse_custom(&event.metric)?;
        Ok(Counted {
            records: vec![Record::asked(metric, seconds(event.at, now), event.value.unwrap_or(1), by, now)?],
            id: self.id(event.id.as_deref(), event.at, now)?,
        })
    }

    /// An id is looked up by day, so that those of days that are past can be forgotten: it needs the time of the event.
    fn id(&self, id: Option<&str>, at: Option<Timestamp>, now: i64) -> Result<Option<EventId>> {
        let Some(id) = id else { return Ok(None) };
        let length = id.chars().count();
        if length == 0 || length > ID_CHARS || id.chars().any(char::is_control) {
            return Err(Error::Invalid(format!(
                "found an id of {length} characters, expected 1 to {ID_CHARS}, and no control characters"
            )));
        }
        let Some(at) = at else {
            return Err(Error::Invalid(
                "found an id without `at`, expected both or none: an id counts once for its day".to_owned(),
            ));
        };
        let id = EventId::of_request(id, at.as_second());
        let first = self.config.first_day_of_ids(now);
        match id.day < first {
            true => Err(Error::Invalid(format!(
                "found an id of an event that is {} days old, expected at most {}: ids are forgotten then; leave it out to import old events",
                now.div_euclid(crate::domain::DAY) - id.day,
                self.config.event_id_days
            ))),
            false => Ok(Some(id)),
        }
    }

    async fn keep(&self, tenant: &Tenant, events: &[Counted], now: i64) -> Result<Outcome> {
        let tx = self.db.begin().await?;
        let outcome = self.recorder.count(&tx, tenant, events, now).await?;
        tx.commit().await?;
        Ok(outcome)
    }
}

fn seconds(at: Option<Timestamp>, now: i64) -> i64 {
    at.map_or(now, Timestamp::as_second)
}
