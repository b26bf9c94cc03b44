//! What the guest book does. Errors of the services go up as they are; the callers know what they mean.

use std::time::Duration;

use axum::body::Body;
use schemars::JsonSchema;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use wharf_sdk::audit::Entry as Record;
use wharf_sdk::services::audit::Audit;
use wharf_sdk::services::authz::Authz;
use wharf_sdk::services::blobs::{Blob, Blobs};
use wharf_sdk::services::cache::Cache;
use wharf_sdk::services::database::{Db, Tx};
use wharf_sdk::services::events::Events;
use wharf_sdk::services::mail::Mail;
use wharf_sdk::services::metrics::Counter;
use wharf_sdk::services::scheduler::{Run, Scheduler};
use wharf_sdk::services::secrets::Secrets;
use wharf_sdk::{Context, Error, Fault};

use crate::background::{EntrySigned, Forget};
use crate::config::Config;
use crate::entry::{self, tally};

/// The tally is read from the cache this long.
const TALLY_AGE: Duration = Duration::from_secs(60);
const SIGNED: &str = "signed";
/// The permission to remove an entry, and what is recorded of it.
pub(crate) const REMOVE: &str = "visitors.entry.remove";

/// What a guest writes.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEntry {
    /// Who signs.
    pub name: String,
    /// What they write.
    pub text: String,
    /// Where to thank them.
    #[serde(default)]
    pub email: Option<String>,
}

/// What the owner is told.
#[derive(Serialize)]
struct Digested {
    signed: i64,
}

/// The guest book. Clones are the same one.
#[derive(Clone)]
pub struct Book {
    db: Db,
    pub(crate) config: Config,
    cache: Cache,
    blobs: Blobs,
    mail: Mail,
    events: Events,
    jobs: Scheduler,
    secrets: Secrets,
    entries: Counter,
    pub(crate) authz: Authz,
    audit: Audit,
}

impl Book {
    pub(crate) async fn open(ctx: &Context, config: Config) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            cache: ctx.cache()?,
            blobs: ctx.blobs()?,
            mail: ctx.mail()?,
            events: ctx.events()?,
            jobs: ctx.jobs()?,
            secrets: ctx.secrets()?,
            authz: ctx.authz()?,
            audit: ctx.audit()?,
            entries: ctx.metrics()?.counter("visitors_entries_total", "Entries that were written", &[])?,
            config,
        })
    }

    /// Writes an entry and says so, together. Gives its number.
    pub(crate) async fn sign(&self, new: NewEntry) -> Result<i64, Error> {
        let guest = self.guest(new.email.as_deref().unwrap_or(&new.name)).await?;
        let tx = self.db.begin().await?;
        let written = entry::ActiveModel {
            name: Set(new.name.clone()),
            text: Set(new.text),
            email: Set(new.email),
            guest: Set(guest),
            ..Default::default()
        };
        let id = entry::Entity::insert(written).exec(&tx).await?.last_insert_id;
        self.events.publish(&tx, &EntrySigned { entry: id, name: new.name }).await?;
        tx.commit().await?;
        self.entries.increment();
        Ok(id)
    }

    /// Entries after a number, oldest first.
    pub(crate) async fn page(&self, after: i64, limit: u64) -> Result<Vec<entry::Model>, Error> {
        let page = entry::Entity::find()
            .filter(entry::Column::Id.gt(after))
            .order_by_asc(entry::Column::Id)
            .limit(limit)
            .all(&self.db.replica())
            .await?;
        Ok(page)
    }

    /// One entry.
    pub(crate) async fn entry(&self, id: i64) -> Result<Option<entry::Model>, Error> {
        Ok(entry::Entity::find_by_id(id).one(&self.db).await?)
    }

    /// Removes one entry and records who did; `false` when there is none.
    pub(crate) async fn remove(&self, id: i64) -> Result<bool, Error> {
        let tx = self.db.begin().await?;
        let Some(entry) = entry::Entity::find_by_id(id).one(&tx).await? else {
            return Ok(false);
        };
        entry::Entity::delete_by_id(id).exec(&tx).await?;
        let removed = Record::of(REMOVE).on(format!("entry/{id}")).removed("text", &entry.text);
        self.audit.record(&tx, removed).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Records that somebody wanted to remove an entry and may not.
    pub(crate) async fn refused(&self, id: i64) -> Result<(), Fault> {
        let denied = Record::of(REMOVE).on(format!("entry/{id}")).denied("they lack the permission");
        self.audit.record_now(denied).await?;
        Ok(())
    }

    /// How many signed: from the cache, at most a minute old.
    pub(crate) async fn signed(&self) -> Result<i64, Error> {
        let load = || async {
            let row = tally::Entity::find_by_id(SIGNED).one(&self.db).await?;
            Ok::<_, Error>(row.map_or(0, |row| row.count))
        };
        Ok(self.cache.get_or_load(SIGNED, TALLY_AGE, load).await?)
    }

    /// Counts one more, in the transaction of whoever counts.
    pub(crate) async fn count_one(&self, tx: &Tx) -> Result<(), Error> {
        let one = tally::ActiveModel {
            name: Set(SIGNED.to_owned()),
            count: Set(1),
        };
        let again = OnConflict::column(tally::Column::Name)
            .value(tally::Column::Count, Expr::col((tally::Entity, tally::Column::Count)).add(1))
            .to_owned();
        tally::Entity::insert(one).on_conflict(again).exec_without_returning(tx).await?;
        Ok(())
    }

    /// Thanks whoever signed, if they said where: when the transaction commits.
    pub(crate) async fn thank(&self, tx: &Tx, id: i64) -> Result<(), Error> {
        let Some(entry) = entry::Entity::find_by_id(id).one(tx).await? else {
            return Ok(());
        };
        if let Some(email) = &entry.email {
            self.mail.send("thanks", email, &entry).within(tx).await?;
        }
        Ok(())
    }

    /// Tells the owner how many signed.
    pub(crate) async fn tell_owner(&self) -> Result<(), Error> {
        let digest = Digested {
            signed: self.signed().await?,
        };
        self.mail.send("digest", &self.config.owner, &digest).await?;
        Ok(())
    }

    /// Keeps the picture of an entry, in place of one that was there.
    pub(crate) async fn put_picture(&self, id: i64, kind: &str, picture: Body) -> Result<u64, Fault> {
        let put = self.blobs.put(&picture_of(id), picture).content_type(kind);
        Ok(put.await?.size)
    }

    /// The picture of an entry.
    pub(crate) async fn picture(&self, id: i64) -> Result<Blob, Fault> {
        self.blobs.get(&picture_of(id)).await
    }

    /// What was counted has changed.
    pub(crate) async fn forget_tally(&self) -> Result<(), Error> {
        self.cache.delete(SIGNED).await?;
        Ok(())
    }

    /// Asks for the entries of a guest to be removed, once however often it is asked for.
    pub(crate) async fn ask_to_forget(&self, email_or_name: &str) -> Result<Option<String>, Error> {
        let guest = self.guest(email_or_name).await?;
        let run = Run::of("forget").with(&Forget { guest: guest.clone() })?.unless_there_is(&guest);
        Ok(self.jobs.enqueue_alone(run).await?)
    }

    /// Removes the entries of a guest. Gives how many there were.
    pub(crate) async fn forget(&self, guest: &str) -> Result<u64, Error> {
        let removed = entry::Entity::delete_many()
            .filter(entry::Column::Guest.eq(guest))
            .exec(&self.db)
            .await?;
        Ok(removed.rows_affected)
    }

    /// What tells guests apart.
    async fn guest(&self, name: &str) -> Result<String, Error> {
        let salt = self.secrets.get("salt").await?;
        let hash = Sha256::new()
            .chain_update(salt.reveal())
            .chain_update(name.to_lowercase())
            .finalize();
        Ok(hash.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

fn picture_of(id: i64) -> String {
    format!("pictures/{id}")
}
