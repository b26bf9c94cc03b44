//! The routes, below `/visitors`.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};
use wharf_sdk::services::blobs::Blob;
use wharf_sdk::{FaultCode, Problem, Result, Routes, get, post};

use crate::book::{NewEntry, REMOVE};
use crate::{Entry, Visitors};

const MOST: u64 = 200;

#[derive(Serialize)]
struct Written {
    id: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    #[serde(default)]
    after: i64,
    #[serde(default = "usual")]
    limit: u64,
}

fn usual() -> u64 {
    20
}

#[derive(Serialize)]
struct Picture {
    bytes: u64,
}

#[derive(Serialize)]
struct Tally {
    signed: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Guest {
    guest: String,
}

#[derive(Serialize)]
struct Asked {
    /// None when it was asked for already.
    run: Option<String>,
}

pub(crate) fn routes() -> Routes<Visitors> {
    Routes::new()
        .route("/entries", get(list).post(sign))
        .public()
        .route("/entries/{id}", get(show))
        .public()
        // Who may remove which entry is asked in the handler.
        .route("/entries/{id}/removal", post(remove))
        .authenticated()
        .route("/entries/{id}/picture", get(picture).put(put_picture))
        .public()
        .route("/tally", get(tally))
        .public()
        .route("/forget", post(forget))
        .public()
}

async fn sign(State(module): State<Arc<Visitors>>, Json(new): Json<NewEntry>) -> Result<(StatusCode, Json<Written>)> {
    if new.name.trim().is_empty() || new.text.len() > 4096 {
        return Err(Problem::unprocessable("an entry needs a name, and a text of at most 4096 bytes"));
    }
    let id = module.book().sign(new).await.map_err(Problem::internal)?;
    Ok((StatusCode::CREATED, Json(Written { id })))
}

async fn list(State(module): State<Arc<Visitors>>, Query(page): Query<Page>) -> Result<Json<Vec<Entry>>> {
    let page = module.book().page(page.after, page.limit.clamp(1, MOST)).await;
    Ok(Json(page.map_err(Problem::internal)?))
}

async fn show(State(module): State<Arc<Visitors>>, Path(id): Path<i64>) -> Result<Json<Entry>> {
    let entry = module.book().entry(id).await.map_err(Problem::internal)?;
    entry.map(Json).ok_or_else(|| Problem::not_found("there is no such entry"))
}

/// Whoever may: everywhere, or the entries a rule names, such as `entry/17`.
async fn remove(State(module): State<Arc<Visitors>>, Path(id): Path<i64>) -> Result<StatusCode> {
    let book = module.book();
    if let Err(problem) = book.authz.require(REMOVE, format!("entry/{id}").as_str()) {
        book.refused(id).await?;
        return Err(problem);
    }
    match book.remove(id).await.map_err(Problem::internal)? {
        true => Ok(StatusCode::NO_CONTENT),
        false => Err(Problem::not_found("there is no such entry")),
    }
}

/// Streams in both directions: a picture is never in memory as a whole.
async fn put_picture(State(module): State<Arc<Visitors>>, Path(id): Path<i64>, headers: HeaderMap, body: Body) -> Result<Json<Picture>> {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .unwrap_or_default();
    if !kind.starts_with("image/") {
        return Err(Problem::unprocessable(format!("found content type {kind:?}, expected an image")));
    }
    let book = module.book();
    if book.entry(id).await.map_err(Problem::internal)?.is_none() {
        return Err(Problem::not_found("there is no such entry"));
    }
    let limited = Body::new(http_body_util::Limited::new(body, book.config.max_picture_bytes as usize));
    let bytes = book.put_picture(id, kind, limited).await?;
    Ok(Json(Picture { bytes }))
}

async fn picture(State(module): State<Arc<Visitors>>, Path(id): Path<i64>) -> Result<Blob> {
    module.book().picture(id).await.map_err(|fault| match fault.code {
        FaultCode::NOT_FOUND => Problem::not_found("this entry has no picture"),
        _ => Problem::internal(fault),
    })
}

async fn tally(State(module): State<Arc<Visitors>>) -> Result<Json<Tally>> {
    let signed = module.book().signed().await.map_err(Problem::internal)?;
    Ok(Json(Tally { signed }))
}

async fn forget(State(module): State<Arc<Visitors>>, Json(who): Json<Guest>) -> Result<(StatusCode, Json<Asked>)> {
    let run = module.book().ask_to_forget(&who.guest).await.map_err(Problem::internal)?;
    Ok((StatusCode::ACCEPTED, Json(Asked { run })))
}
