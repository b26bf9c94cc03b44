//! Notes that everybody reads and some people write.

pub mod note;

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wharf_sdk::http::StatusCode;
use wharf_sdk::sea_orm::ActiveValue::{NotSet, Set};
use wharf_sdk::sea_orm::entity::prelude::*;
use wharf_sdk::sea_orm::sea_query::{Expr, OnConflict};
use wharf_sdk::sea_orm::{ExprTrait, QueryOrder, QuerySelect, TransactionTrait};
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::services::events::Events;
use wharf_sdk::{
    Context, Error, Event, EventContext, Handlers, JobContext, Jobs, Migration, Migrations, Module, Principal, Problem, Result, Routes,
    entities, export_module, get, post, tracing,
};

use crate::note::tally;

export_module!(Starter);

/// The section `[modules.starter]` of the host's configuration.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Days after which notes are removed.
    pub keep_days: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { keep_days: 365 }
    }
}

/// The module.
pub struct Starter {
    config: Config,
    db: Db,
    events: Events,
}

/// Somebody left a note.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct NoteAdded {
    /// Number of the note.
    pub note: i64,
    /// Who left it.
    pub author: String,
}

impl Event for NoteAdded {
    const TYPE: &'static str = "starter.note.added.v1";
}

/// What a caller sends.
#[derive(Deserialize)]
struct NewNote {
    text: String,
}

impl Module for Starter {
    type Config = Config;

    async fn init(ctx: Context, config: Config) -> Result<Self, Error> {
        Ok(Self {
            config,
            db: ctx.db()?,
            events: ctx.events()?,
        })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/notes", get(list))
            .public()
            .route("/notes", post(add))
            .require("starter.note.write")
            .route("/authors", get(authors))
            .public()
    }

    fn migrations() -> Migrations {
        Migrations::new().then(
            Migration::expand("0001_notes")
                .create_table(note::Entity)
                .create_table(tally::Entity),
        )
    }

    fn entities() -> Entities {
        entities![note::Entity, tally::Entity]
    }

    fn events() -> Handlers<Self> {
        Handlers::new().publishes::<NoteAdded>().on::<NoteAdded>("count", Self::count)
    }

    fn jobs() -> Jobs<Self> {
        Jobs::new().job("forget", Self::forget)
    }
}

/// The newest notes.
async fn list(State(module): State<Arc<Starter>>) -> Result<Json<Vec<note::Model>>> {
    let newest = note::Entity::find().order_by_desc(note::Column::Id).limit(100);
    Ok(Json(newest.all(&module.db).await?))
}

/// Note and event are one transaction: both, or neither.
async fn add(State(module): State<Arc<Starter>>, who: Principal, Json(new): Json<NewNote>) -> Result<(StatusCode, Json<note::Model>)> {
    if new.text.trim().is_empty() {
        return Err(Problem::bad_request("found an empty text, expected a few words"));
    }
    let row = note::ActiveModel {
        id: NotSet,
        author: Set(who.subject().to_owned()),
        text: Set(new.text),
        added: Set(ChronoUtc::now()),
    };
    let tx = module.db.begin().await?;
    let note = row.insert(&tx).await?;
    let added = NoteAdded {
        note: note.id,
        author: note.author.clone(),
    };
    module.events.publish(&tx, &added).await?;
    tx.commit().await?;
    tracing::debug!(note.id, "a note was added");
    Ok((StatusCode::CREATED, Json(note)))
}

/// What was counted.
async fn authors(State(module): State<Arc<Starter>>) -> Result<Json<Vec<tally::Model>>> {
    Ok(Json(
        tally::Entity::find().order_by_asc(tally::Column::Author).all(&module.db).await?,
    ))
}

impl Starter {
    /// Counts in the transaction of the delivery: once, however often the event comes.
    async fn count(self: Arc<Self>, added: NoteAdded, ctx: EventContext) -> Result<(), Error> {
        let first = tally::ActiveModel {
            author: Set(added.author),
            notes: Set(1),
        };
        let again = OnConflict::column(tally::Column::Author)
            .value(tally::Column::Notes, Expr::col((tally::Entity, tally::Column::Notes)).add(1))
            .to_owned();
        tally::Entity::insert(first)
            .on_conflict(again)
            .exec_without_returning(&ctx.tx()?)
            .await?;
        Ok(())
    }

    async fn forget(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        let oldest = ChronoUtc::now() - Duration::from_secs(self.config.keep_days * 24 * 3600);
        let old = note::Entity::delete_many().filter(note::Column::Added.lt(oldest));
        let removed = old.exec(&self.db).await?.rows_affected;
        tracing::info!(removed, "old notes were removed");
        Ok(())
    }
}
