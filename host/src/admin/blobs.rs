//! Blobs of modules, for operators.

use std::sync::Arc;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use crate::blobs::{BlobStore, count};
use crate::modules::control::Control;

/// What one module keeps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlobsRow {
    /// The module.
    pub module: String,
    /// How many blobs it has.
    pub blobs: u64,
    /// What they are together.
    pub bytes: u64,
    /// What they may be together; none: as much as there is room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_bytes: Option<u64>,
    /// The largest that one may be.
    pub max_bytes: u64,
}

#[derive(Clone)]
struct Parts {
    store: BlobStore,
    control: Arc<dyn Control>,
}

/// `GET /admin/v1/blobs`: modules of this host that keep blobs or have a quota, counted for each request.
pub fn blobs_router(store: BlobStore, control: Arc<dyn Control>) -> Router {
    Router::new()
        .route("/admin/v1/blobs", get(list))
        .with_state(Parts { store, control })
}

async fn list(State(parts): State<Parts>) -> Result<Json<Vec<BlobsRow>>, Problem> {
    let Parts { store, control } = parts;
    let mut rows = Vec::new();
    for module in control.status().await?.modules {
        let counted = count(&*store.port, &module.id).await;
        let (blobs, bytes) =
            counted.map_err(|error| Problem::new("blobs.unavailable", error.to_string(), "see docs/operations/blobs.md"))?;
        let row = BlobsRow {
            blobs,
            bytes,
            quota_bytes: store.quota(&module.id),
            max_bytes: store.limit(&module.id),
            module: module.id,
        };
        if row.blobs > 0 || store.has_quota_of_its_own(&row.module) {
            rows.push(row);
        }
    }
    Ok(Json(rows))
}
