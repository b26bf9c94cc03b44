//! What was recorded comes in: by events, in the transaction of their delivery, and by `Append`. Both only write it down.

use std::sync::Arc;

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QuerySelect, TransactionTrait};
use wharf_sdk::audit::Record;
use wharf_sdk::{EventContext, Handlers, Subscription};

use crate::Audit;
use crate::error::Result;
use crate::record::{Sealable, sealable};
use crate::tables::{entry, intent};

pub(crate) fn handlers() -> Handlers<Audit> {
    // Those that were recorded before this module first ran, too; and so often that a database that is away is back.
    Handlers::new().on::<Record>(
        Subscription::named("record").from_start().unordered().max_attempts(100),
        Audit::take,
    )
}

impl Audit {
    /// The host makes the id, so that the same record delivered twice is one.
    async fn take(self: Arc<Self>, record: Record, ctx: EventContext) -> Result<(), wharf_sdk::Error> {
        match sealable(&record) {
            Ok(sealable) => Ok(write(&ctx.tx()?, vec![sealable]).await?),
            Err(error) => {
                tracing::error!(record.id, %error, "a record cannot be sealed; it stays among the dead letters");
                Err(error.into())
            }
        }
    }

    /// Durable when this returns.
    pub(crate) async fn append(&self, records: &[Record]) -> Result<()> {
        let sealable: Vec<Sealable> = records.iter().map(sealable).collect::<Result<_>>()?;
        let tx = self.db.begin().await?;
        write(&tx, sealable).await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn write(tx: &impl ConnectionTrait, records: Vec<Sealable>) -> Result<()> {
    let ids: Vec<String> = records.iter().map(|record| record.id.clone()).collect();
    let sealed: Vec<String> = entry::Entity::find()
        .select_only()
        .column(entry::Column::Id)
        .filter(entry::Column::Id.is_in(ids))
        .into_tuple()
        .all(tx)
        .await?;
    let rows: Vec<_> = records
        .into_iter()
        .filter(|record| !sealed.contains(&record.id))
        .map(|record| intent::ActiveModel {
            n: ActiveValue::NotSet,
            id: ActiveValue::Set(record.id),
            body: ActiveValue::Set(record.body),
        })
        .collect();
    if !rows.is_empty() {
        let once = OnConflict::column(intent::Column::Id).do_nothing().to_owned();
        intent::Entity::insert_many(rows)
            .on_conflict(once)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}
