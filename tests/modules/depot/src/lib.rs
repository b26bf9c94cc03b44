//! A module for tests that keeps blobs and sends mail. It has `runtime = "none"`: neither needs tokio.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use sea_orm::TransactionTrait as _;
use serde_json::json;
use wharf_sdk::services::blobs::{Blob, Blobs};
use wharf_sdk::services::mail::Mail;
use wharf_sdk::{Context, Error, MailTemplates, Module, NoConfig, Problem, Result, Routes, export_module, get, post, put};

export_module!(Depot);

/// The module.
pub struct Depot {
    ctx: Context,
    blobs: Blobs,
    mail: Mail,
}

impl Module for Depot {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self {
            blobs: ctx.blobs()?,
            mail: ctx.mail()?,
            ctx,
        })
    }

    fn templates() -> MailTemplates {
        MailTemplates::new()
            .file("hello.subject", include_str!("mails/hello.subject"))
            .file("hello.txt", include_str!("mails/hello.txt"))
            .file("hello.html", include_str!("mails/hello.html"))
            .file("hello.de.subject", include_str!("mails/hello.de.subject"))
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/blobs/{*key}", put(write).get(read).delete(forget))
            .public()
            .route("/part/{start}/{end}/{*key}", get(part))
            .public()
            .route("/first/{*key}", put(write_first))
            .public()
            .route("/list", get(list))
            .public()
            .route("/sign/{*key}", get(sign))
            .public()
            .route("/mail/{how}/{to}/{name}", post(send))
            .public()
    }
}

async fn write(State(depot): State<Arc<Depot>>, Path(key): Path<String>, body: Body) -> Result<String> {
    let meta = depot
        .blobs
        .put(&key, body)
        .content_type("text/plain")
        .metadata("from", "depot")
        .await?;
    Ok(format!("{} {}", meta.size, meta.sha256.unwrap_or_default()))
}

async fn write_first(State(depot): State<Arc<Depot>>, Path(key): Path<String>, body: Body) -> Result<String, (StatusCode, String)> {
    let written = depot.blobs.put(&key, body).if_absent().await;
    written
        .map(|meta| meta.etag)
        .map_err(|fault| (StatusCode::CONFLICT, fault.code.name().to_owned()))
}

async fn read(State(depot): State<Arc<Depot>>, Path(key): Path<String>) -> Result<Blob> {
    depot.blobs.get(&key).await.map_err(|_| Problem::not_found("there is no such blob"))
}

async fn part(State(depot): State<Arc<Depot>>, Path((start, end, key)): Path<(u64, u64, String)>) -> Result<Vec<u8>> {
    let blob = depot.blobs.get_range(&key, start..end).await?;
    Ok(blob.bytes(1 << 20).await?.to_vec())
}

async fn forget(State(depot): State<Arc<Depot>>, Path(key): Path<String>) -> Result<()> {
    Ok(depot.blobs.delete(&key).await?)
}

async fn list(State(depot): State<Arc<Depot>>) -> Result<String> {
    let page = depot.blobs.list("").await?;
    Ok(page.entries.into_iter().map(|entry| entry.key).collect::<Vec<_>>().join(" "))
}

async fn sign(State(depot): State<Arc<Depot>>, Path(key): Path<String>) -> Result<String> {
    Ok(depot.blobs.presign_get(&key, Duration::from_secs(60)).await?)
}

async fn send(State(depot): State<Arc<Depot>>, Path((how, to, name)): Path<(String, String, String)>) -> Result<String> {
    let data = json!({ "name": name });
    match how.as_str() {
        "alone" => Ok(depot.mail.send("hello", &to, &data).await?),
        "german" => Ok(depot
            .mail
            .send("hello", &to, &data)
            .locale("de-AT")
            .reply_to("help@example.org")
            .await?),
        "kept" | "undone" => {
            let tx = depot.ctx.db()?.begin().await?;
            let id = depot.mail.send("hello", &to, &data).within(&tx).await?;
            if how == "kept" {
                tx.commit().await?
            } else {
                tx.rollback().await?
            }
            Ok(id)
        }
        other => Ok(depot.mail.send(other, &to, &data).await?),
    }
}
