//! Writing: records become rows, each event once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, EntityTrait};
use wharf_sdk::Tenant;
use wharf_sdk::services::database::Tx;

use crate::config::Config;
use crate::domain::{DAY, Grain, Key, MAX_SUM, Record, Sums, Tally};
use crate::error::Result;
use crate::meters::Meters;
use crate::names::Names;
use crate::tables::{bucket, late, seen};

/// Rows in one statement.
const ROWS: usize = 200;

/// By what an event is known when it comes again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EventId {
    /// Day of a time that comes with it, counted from 1970: the same whenever it comes again.
    pub(crate) day: i64,
    /// Its id. Ids of requests begin with another letter than those of the host, so that nobody can take one that is to come.
    pub(crate) event: String,
}

/// One event: what it is known by, if it is, and what it counts as.
#[derive(Clone, Debug)]
pub(crate) struct Counted {
    pub(crate) id: Option<EventId>,
    pub(crate) records: Vec<Record>,
}

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) recorded: u64,
    pub(crate) duplicates: u64,
    pub(crate) late: u64,
}

/// Writes. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Recorder {
    config: Arc<Config>,
    names: Names,
    meters: Meters,
}

impl Outcome {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            recorded: self.recorded + other.recorded,
            duplicates: self.duplicates + other.duplicates,
            late: self.late + other.late,
        }
    }
}

impl EventId {
    /// Of an event that the host delivered.
    pub(crate) fn of_event(id: &str, published: i64) -> Self {
        Self {
            day: days(published),
            event: id.to_owned(),
        }
    }

    /// Of one that came by request.
    pub(crate) fn of_request(id: &str, at: i64) -> Self {
        Self {
            day: days(at),
            event: format!("r:{id}"),
        }
    }
}

impl Recorder {
    pub(crate) fn new(config: Arc<Config>, meters: Meters) -> Self {
        Self {
            names: Names::new(config.max_metrics),
            config,
            meters,
        }
    }

    /// Counts events in a transaction of the caller. Those with an id that was counted before are left out, and those that are older than ids
    /// are kept are only counted as late.
    ///
    /// An event has two statements for itself: one for its id, one for all of its buckets. Many at a time share them.
    pub(crate) async fn count(&self, tx: &Tx, tenant: &Tenant, events: &[Counted], now: i64) -> Result<Outcome> {
        let first = self.config.first_day_of_ids(now);
        let (stale, events): (Vec<_>, Vec<_>) = events.iter().partition(|event| event.id.as_ref().is_some_and(|id| id.day < first));
        let mut new = self.enter(tx, tenant, &events).await?;
        let given = events.len() as u64;
        let is_fresh = |event: &&Counted| event.id.as_ref().is_none_or(|id| new.remove(id));
        let fresh: Vec<&Counted> = events.into_iter().filter(is_fresh).collect();
        let records = |of: &[&'_ Counted]| of.iter().flat_map(|event| event.records.clone()).collect::<Vec<_>>();
        let (fresh_records, stale_records) = (records(&fresh), records(&stale));
        self.names
            .ensure(tx, tenant, fresh_records.iter().chain(&stale_records), now)
            .await?;
        let mut tally = Tally::of(&fresh_records, self.config.retention(), now);
        stale_records.iter().for_each(|record| tally.add_stale(record));
        write_buckets(tx, tenant, &tally.buckets).await?;
        write_late(tx, tenant, &tally).await?;
        let cutoff = self.config.retention().cutoff(Grain::Minute, now);
        let late = fresh.iter().filter(|event| event.records.iter().any(|record| record.at < cutoff));
        let outcome = Outcome {
            recorded: fresh.len() as u64,
            duplicates: given - fresh.len() as u64,
            late: (late.count() + stale.len()) as u64,
        };
        self.meters.count(&outcome);
        Ok(outcome)
    }

    /// Enters ids. Gives those that were not there before.
    async fn enter(&self, tx: &Tx, tenant: &Tenant, events: &[&Counted]) -> Result<BTreeSet<EventId>> {
        let ids: BTreeSet<&EventId> = events.iter().filter_map(|event| event.id.as_ref()).collect();
        let there = || {
            OnConflict::columns([seen::Column::Tenant, seen::Column::Day, seen::Column::Event])
                .do_nothing()
                .to_owned()
        };
        let row = |id: &EventId| {
            tenant.stamp(seen::ActiveModel {
                day: Set(id.day),
                event: Set(id.event.clone()),
                ..Default::default()
            })
        };
        // The usual case, and the cheaper one: nothing comes back but how many there are.
        if let (Some(only), 1) = (ids.first(), ids.len()) {
            let inserted = seen::Entity::insert(row(only))
                .on_conflict(there())
                .exec_without_returning(tx)
                .await?;
            return Ok(ids.into_iter().filter(|_| inserted > 0).cloned().collect());
        }
        let mut new = BTreeSet::new();
        for part in ids.into_iter().collect::<Vec<_>>().chunks(ROWS) {
            let rows = part.iter().map(|id| row(id));
            let inserted = seen::Entity::insert_many(rows).on_conflict(there()).exec_with_returning(tx).await?;
            new.extend(inserted.into_iter().map(|row| EventId {
                day: row.day,
                event: row.event,
            }));
        }
        Ok(new)
    }
}

/// Lets buckets grow, days first and each grain in the order of its keys: whoever counts for the same metric and day waits at the row of the
/// day, with nothing else in hand that others wait for.
async fn write_buckets(tx: &Tx, tenant: &Tenant, buckets: &BTreeMap<Key, Sums>) -> Result<()> {
    let of = |grain: Grain| buckets.iter().filter(move |(key, _)| key.grain == grain);
    let widest_first = Grain::ALL.into_iter().rev().flat_map(of);
    let rows: Vec<_> = widest_first.map(|(key, sums)| tenant.stamp(row(key, *sums))).collect();
    for part in rows.chunks(ROWS) {
        bucket::Entity::insert_many(part.to_vec())
            .on_conflict(grow())
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

fn row(key: &Key, sums: Sums) -> bucket::ActiveModel {
    bucket::ActiveModel {
        metric: Set(key.metric.as_str().to_owned()),
        grain: Set(key.grain.number()),
        dimension: Set(key.dimension.clone()),
        begins: Set(key.begins),
        value: Set(key.value.clone()),
        hits: Set(sums.count),
        total: Set(sums.sum),
        ..Default::default()
    }
}

/// Adds to the bucket that is there; sums stop at [`MAX_SUM`], which the values of a single statement cannot pass by themselves.
fn grow() -> OnConflict {
    use bucket::Column::{Begins, Dimension, Grain, Hits, Metric, Tenant, Total, Value};
    let total = format!(
        "CASE WHEN bucket.total + excluded.total > {MAX_SUM} THEN {MAX_SUM} \
              WHEN bucket.total + excluded.total < -{MAX_SUM} THEN -{MAX_SUM} \
              ELSE bucket.total + excluded.total END"
    );
    OnConflict::columns([Tenant, Metric, Grain, Dimension, Begins, Value])
        .value(Hits, Expr::cust("bucket.hits + excluded.hits"))
        .value(Total, Expr::cust(total))
        .to_owned()
}

async fn write_late(tx: &Tx, tenant: &Tenant, tally: &Tally) -> Result<()> {
    if tally.late.is_empty() {
        return Ok(());
    }
    let rows = tally.late.iter().map(|((metric, grain), hits)| {
        tenant.stamp(late::ActiveModel {
            metric: Set(metric.as_str().to_owned()),
            grain: Set(grain.number()),
            hits: Set(*hits),
            ..Default::default()
        })
    });
    let grow = OnConflict::columns([late::Column::Tenant, late::Column::Metric, late::Column::Grain])
        .value(late::Column::Hits, Expr::cust("late.hits + excluded.hits"))
        .to_owned();
    late::Entity::insert_many(rows).on_conflict(grow).exec_without_returning(tx).await?;
    Ok(())
}

fn days(at: i64) -> i64 {
    at.div_euclid(DAY)
}
