//! Calls that keep transactions and streams open, and end in every way there is.
#![allow(clippy::panic, reason = "it panics on purpose: that is what it is for")]

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use futures_util::StreamExt as _;
use sea_orm::{
    ActiveModelTrait, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait, QuerySelect, QueryTrait, Set, StreamTrait, TransactionTrait,
};
use wharf_sdk::services::database::DbErrExt;
use wharf_sdk::{Problem, Result, Routes, get, post};

use crate::Shop;
use crate::entities::customer;

pub(crate) fn routes(routes: Routes<Shop>) -> Routes<Shop> {
    routes
        .route("/hold/{how}", post(hold))
        .public()
        .route("/stash", post(stash))
        .public()
        .route("/stash/use", post(use_stash))
        .public()
        .route("/task", post(task))
        .public()
        .route("/emails", get(emails))
        .public()
        .route("/customers/{email}", post(add))
        .public()
        .route("/count", get(count))
        .public()
}

fn customer(email: &str) -> customer::ActiveModel {
    customer::ActiveModel {
        email: Set(email.to_owned()),
        name: Set(email.to_owned()),
        ..Default::default()
    }
}

/// Opens a transaction, writes in it, opens a savepoint and a stream, and ends as it is told: `wait` for ever, `panic`,
/// `answer` without ending them.
async fn hold(State(shop): State<Arc<Shop>>, Path(how): Path<String>) -> Result<&'static str> {
    let tx = shop.db.begin().await?;
    customer("held").insert(&tx).await?;
    let inner = tx.begin().await?;
    let stream = customer::Entity::find().stream(&shop.db).await?;
    match how.as_str() {
        "wait" => std::future::pending().await,
        "panic" => panic!("as it was told"),
        _ => {
            // A module that loses them all the same.
            std::mem::forget((tx, inner));
            drop(stream);
            Ok("answered")
        }
    }
}

/// Keeps a transaction beyond its call.
async fn stash(State(shop): State<Arc<Shop>>) -> Result<&'static str> {
    let tx = shop.db.begin().await?;
    *shop.stashed.lock().unwrap_or_else(PoisonError::into_inner) = Some(tx);
    Ok("stashed")
}

/// Uses it, and tells what came of that.
async fn use_stash(State(shop): State<Arc<Shop>>) -> Result<String> {
    let tx = shop.stashed.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(tx) = tx else { return Ok("nothing stashed".to_owned()) };
    let outcome = customer("stashed").insert(&tx).await;
    Ok(match outcome {
        Ok(_) => "it worked".to_owned(),
        Err(error) => format!("{:?}", error.failure().map(|failure| failure.kind)),
    })
}

/// A task of the instance keeps a transaction open.
async fn task(State(shop): State<Arc<Shop>>) -> &'static str {
    let (ctx, db) = (shop.ctx.clone(), shop.db.clone());
    shop.ctx.spawn(async move {
        if let Ok(tx) = db.begin().await {
            ctx.sleep(Duration::from_secs(3600)).await;
            drop(tx);
        }
    });
    "started"
}

/// All addresses, streamed: the response body goes on with what the handler opened.
async fn emails(State(shop): State<Arc<Shop>>) -> Result<Body> {
    let backend = ConnectionTrait::get_database_backend(&shop.db);
    let statement = customer::Entity::find()
        .select_only()
        .column(customer::Column::Email)
        .build(backend);
    let rows = shop.db.stream_raw(statement).await?;
    Ok(Body::from_stream(rows.map(|row| {
        let email: String = row?.try_get("", "email")?;
        Ok::<_, DbErr>(format!("{email}\n"))
    })))
}

async fn add(State(shop): State<Arc<Shop>>, Path(email): Path<String>) -> Result<&'static str> {
    match customer(&email).insert(&shop.db).await {
        Ok(_) => Ok("added"),
        Err(error) if error.is_unique() => Err(Problem::conflict("somebody has this address already")),
        Err(error) => Err(error.into()),
    }
}

async fn count(State(shop): State<Arc<Shop>>) -> Result<String> {
    let count = customer::Entity::find().count(&shop.db).await?;
    Ok(count.to_string())
}
