//! The names of metrics and dimensions that a tenant has.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use wharf_sdk::Tenant;
use wharf_sdk::services::database::Tx;

use crate::domain::{Dimension, Record};
use crate::error::{Error, Result};
use crate::tables::name;

/// Names that are remembered; with more, all are looked up anew.
const REMEMBERED: usize = 50_000;

/// Tenant, metric, dimension.
type Full = (Tenant, String, String);

/// Names, of which those that are known to be in the database need no statement.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    most: u32,
    remembered: Arc<RwLock<Remembered>>,
}

#[derive(Debug, Default)]
struct Remembered {
    /// Seen committed: they are there for ever.
    known: HashSet<Full>,
    /// Entered here, by the transaction that did and may still be rolled back.
    entered: HashMap<Full, u64>,
}

impl Names {
    pub(crate) fn new(most: u32) -> Self {
        Self {
            most,
            remembered: Arc::default(),
        }
    }

    /// Enters the names of records that are not there yet.
    pub(crate) async fn ensure(&self, tx: &Tx, tenant: &Tenant, records: impl Iterator<Item = &Record>, now: i64) -> Result<()> {
        for full in self.unknown(tenant, records) {
            if self.is_there(tx, &full).await? {
                continue;
            }
            if full.2.is_empty() {
                self.limit(tx, tenant, &full.1).await?;
            }
            insert(tx, tenant, &full, now).await?;
            let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
            if remembered.entered.len() >= REMEMBERED {
                remembered.entered.retain(|_, by| *by == tx.id());
            }
            remembered.entered.insert(full, tx.id());
        }
        Ok(())
    }

    /// In one order, whoever writes.
    fn unknown<'a>(&self, tenant: &Tenant, records: impl Iterator<Item = &'a Record>) -> BTreeSet<Full> {
        let known = &self.remembered.read().unwrap_or_else(PoisonError::into_inner).known;
        let all = records.flat_map(|record| {
            let of = |dimension: Dimension| (tenant.clone(), record.metric.as_str().to_owned(), dimension.name);
            record.counted_under().map(of)
        });
        all.filter(|full| !known.contains(full)).collect()
    }

    /// Asked in the transaction: whoever holds one waits for no other connection, and needs no replica. It sees what is committed, and
    /// what it entered itself, which is not remembered, since it may be rolled back.
    async fn is_there(&self, tx: &Tx, full: &Full) -> Result<bool> {
        let (tenant, metric, dimension) = full;
        let found = tenant
            .find::<name::Entity>()
            .filter(name::Column::Metric.eq(metric.as_str()))
            .filter(name::Column::Dimension.eq(dimension.as_str()))
            .one(tx)
            .await?;
        if found.is_none() {
            return Ok(false);
        }
        let mut remembered = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if remembered.entered.get(full) != Some(&tx.id()) {
            if remembered.known.len() >= REMEMBERED {
                remembered.known.clear();
            }
            remembered.entered.remove(full);
            remembered.known.insert(full.clone());
        }
        Ok(true)
    }

    /// Refuses a new metric when there are enough. Those of events do not come here that often: there are a few dozen.
    async fn limit(&self, tx: &Tx, tenant: &Tenant, metric: &str) -> Result<()> {
        let of_metrics = tenant.find::<name::Entity>().filter(name::Column::Dimension.eq(""));
        if !metric.starts_with("custom.") || of_metrics.clone().filter(name::Column::Metric.eq(metric)).count(tx).await? > 0 {
            return Ok(());
        }
        match of_metrics.count(tx).await? {
            there if there < u64::from(self.most) => Ok(()),
            _ => Err(Error::TooMany {
                found: metric.to_owned(),
                most: self.most,
            }),
        }
    }
}

async fn insert(tx: &Tx, tenant: &Tenant, (_, metric, dimension): &Full, now: i64) -> Result<()> {
    let row = tenant.stamp(name::ActiveModel {
        metric: Set(metric.clone()),
        dimension: Set(dimension.clone()),
        first_seen: Set(now),
        ..Default::default()
    });
    let there = OnConflict::columns([name::Column::Tenant, name::Column::Metric, name::Column::Dimension])
        .do_nothing()
        .to_owned();
    name::Entity::insert(row).on_conflict(there).exec_without_returning(tx).await?;
    Ok(())
}
