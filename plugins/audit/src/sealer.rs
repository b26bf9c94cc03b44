//! Sealing: what was recorded is numbered and tied to the chain of this node, and now and then the chain is signed.
//!
//! Each pass is one transaction: it takes records, writes entries, moves the head of the chain and removes the records. A
//! crash before its commit leaves everything as it was; two instances of one node, as during a reload, wait for each other at
//! the row of the chain; two nodes take different records.

use std::collections::HashSet;

use jiff::Timestamp;
use sea_orm::sea_query::{Expr, LockBehavior, LockType, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_sdk::Context;
use wharf_sdk::services::database::Tx;

use crate::Audit;
use crate::chain::{self, Checkpoint, first};
use crate::error::Result;
use crate::record;
use crate::tables::{chain as chains, checkpoint, entry, intent};

/// Entries that one transaction seals at most.
const AT_A_TIME: u64 = 500;

impl Audit {
    /// Seals until the instance ends.
    pub(crate) async fn keep_sealing(self, ctx: Context) {
        let pause = std::time::Duration::from_millis(self.config.seal_every_ms.into());
        let mut failing = false;
        loop {
            match self.seal().await {
                Ok(()) => failing = false,
                // Once, not four times a second.
                Err(error) if !failing => {
                    failing = true;
                    tracing::error!(%error, "records cannot be sealed; they are kept until they can");
                }
                Err(_) => {}
            }
            ctx.sleep(pause).await;
        }
    }

    /// Seals all there is, and signs what is due.
    pub(crate) async fn seal(&self) -> Result<()> {
        while intent::Entity::find()
            .select_only()
            .column(intent::Column::N)
            .limit(1)
            .into_tuple::<i64>()
            .one(&self.db)
            .await?
            .is_some()
        {
            if self.seal_some().await? == 0 {
                break;
            }
        }
        self.sign_if_due().await
    }

    /// One transaction. Gives how many records it took.
    async fn seal_some(&self) -> Result<usize> {
        let tx = self.db.begin().await?;
        let head = self.head(&tx).await?;
        let records = intent::Entity::find()
            .order_by_asc(intent::Column::N)
            .limit(AT_A_TIME)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .all(&tx)
            .await?;
        let taken: Vec<i64> = records.iter().map(|record| record.n).collect();
        if taken.is_empty() {
            return Ok(0);
        }
        let count = taken.len();
        let (rows, seq, hash) = self.tie(&tx, records, &head).await?;
        if !rows.is_empty() {
            entry::Entity::insert_many(rows).exec_without_returning(&tx).await?;
        }
        chains::Entity::update_many()
            .col_expr(chains::Column::Seq, Expr::value(seq))
            .col_expr(chains::Column::Hash, Expr::value(hash))
            .filter(chains::Column::Name.eq(self.node.as_str()))
            .exec(&tx)
            .await?;
        intent::Entity::delete_many()
            .filter(intent::Column::N.is_in(taken))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        Ok(count)
    }

    /// Entries for records, in their order, and the new head.
    async fn tie(&self, tx: &Tx, records: Vec<intent::Model>, head: &chains::Model) -> Result<(Vec<entry::ActiveModel>, i64, String)> {
        let ids = records.iter().map(|record| record.id.clone());
        let sealed: HashSet<String> = entry::Entity::find()
            .select_only()
            .column(entry::Column::Id)
            .filter(entry::Column::Id.is_in(ids))
            .into_tuple()
            .all(tx)
            .await?
            .into_iter()
            .collect();
        let (mut seq, mut prev) = (head.seq, head.hash.clone());
        let mut rows = Vec::with_capacity(records.len());
        for intent in records.into_iter().filter(|intent| !sealed.contains(&intent.id)) {
            seq += 1;
            let hash = chain::hash(&prev, &intent.body);
            let read = record::read(&intent.body)?;
            rows.push(entry::ActiveModel {
                chain: Set(self.node.clone()),
                seq: Set(seq),
                prev: Set(std::mem::replace(&mut prev, hash.clone())),
                hash: Set(hash),
                id: Set(intent.id),
                at: Set(record::micros(&read.at)?),
                tenant: Set(read.tenant),
                actor: Set(read.actor),
                action: Set(read.action),
                object: Set(read.object),
                outcome: Set(read.outcome.number()),
                body: Set(intent.body),
            });
        }
        Ok((rows, seq, prev))
    }

    /// The row of this node's chain, locked; made when there is none.
    async fn head(&self, tx: &Tx) -> Result<chains::Model> {
        let find = || chains::Entity::find_by_id(self.node.clone()).lock_exclusive();
        if let Some(head) = find().one(tx).await? {
            return Ok(head);
        }
        let begin = chains::Model {
            name: self.node.clone(),
            seq: 0,
            hash: first(&self.node),
            base_seq: 0,
            base_hash: first(&self.node),
            checkpoint_seq: 0,
            checkpoint_at: 0,
        };
        let there = OnConflict::column(chains::Column::Name).do_nothing().to_owned();
        chains::Entity::insert(chains::ActiveModel::from(begin.clone()))
            .on_conflict(there)
            .exec_without_returning(tx)
            .await?;
        Ok(find().one(tx).await?.unwrap_or(begin))
    }

    /// Signs the head, when there is something new and it is time.
    async fn sign_if_due(&self) -> Result<()> {
        let now = Timestamp::now().as_microsecond();
        let due = |head: &chains::Model| {
            let new = head.seq - head.checkpoint_seq;
            new >= i64::from(self.config.checkpoint_entries)
                || (new > 0 && now - head.checkpoint_at >= i64::from(self.config.checkpoint_seconds) * 1_000_000)
        };
        // Looked at first without a lock: most of the time there is nothing to do.
        let head = chains::Entity::find_by_id(self.node.clone()).one(&self.db).await?;
        if !head.as_ref().is_some_and(due) {
            return Ok(());
        }
        let tx = self.db.begin().await?;
        let head = self.head(&tx).await?;
        if due(&head) {
            self.sign(&tx, &head, now).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Signs a head.
    pub(crate) async fn sign(&self, tx: &Tx, head: &chains::Model, now: i64) -> Result<()> {
        let number = |number: i64| u64::try_from(number).unwrap_or_default();
        let signed = Checkpoint {
            chain: head.name.clone(),
            seq: number(head.seq),
            count: number(head.seq),
            hash: head.hash.clone(),
            at: record::text(now),
            key: String::new(),
            signature: String::new(),
        }
        .sign(&self.key);
        let row = checkpoint::ActiveModel {
            chain: Set(signed.chain),
            seq: Set(head.seq),
            count: Set(head.seq),
            hash: Set(signed.hash),
            at: Set(now),
            key: Set(signed.key),
            signature: Set(signed.signature),
        };
        let there = OnConflict::columns([checkpoint::Column::Chain, checkpoint::Column::Seq])
            .do_nothing()
            .to_owned();
        checkpoint::Entity::insert(row)
            .on_conflict(there)
            .exec_without_returning(tx)
            .await?;
        chains::Entity::update_many()
            .col_expr(chains::Column::CheckpointSeq, Expr::value(head.seq))
            .col_expr(chains::Column::CheckpointAt, Expr::value(now))
            .filter(chains::Column::Name.eq(head.name.as_str()))
            .exec(tx)
            .await?;
        Ok(())
    }

    /// Removes entries up to the newest checkpoint that is older than they are to be kept. The checkpoint stays, and proves
    /// where the chain begins from then on. Gives how many were removed.
    pub(crate) async fn forget_old(&self, now: i64) -> Result<u64> {
        if self.config.retention_days == 0 {
            return Ok(0);
        }
        let before = now - i64::from(self.config.retention_days) * 86_400 * 1_000_000;
        let mut removed = 0;
        for chain in chains::Entity::find().all(&self.db).await? {
            let newest = checkpoint::Entity::find()
                .filter(checkpoint::Column::Chain.eq(chain.name.as_str()))
                .filter(checkpoint::Column::At.lt(before))
                .filter(checkpoint::Column::Seq.gt(chain.base_seq))
                .order_by_desc(checkpoint::Column::Seq);
            let tx = self.db.begin().await?;
            let Some(newest) = newest.one(&tx).await? else { continue };
            chains::Entity::update_many()
                .col_expr(chains::Column::BaseSeq, Expr::value(newest.seq))
                .col_expr(chains::Column::BaseHash, Expr::value(newest.hash))
                .filter(chains::Column::Name.eq(chain.name.as_str()))
                .exec(&tx)
                .await?;
            let old = entry::Entity::delete_many()
                .filter(entry::Column::Chain.eq(chain.name.as_str()))
                .filter(entry::Column::Seq.lte(newest.seq));
            removed += old.exec(&tx).await?.rows_affected;
            tx.commit().await?;
        }
        Ok(removed)
    }
}
