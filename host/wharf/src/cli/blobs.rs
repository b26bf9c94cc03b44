//! `wharf blobs`: what modules keep.

use wharf_host::admin::BlobsRow;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

/// Shows how much each module keeps, and how much it may.
pub(super) async fn run(context: &Context) -> Result<Exit, Failure> {
    let rows: Vec<BlobsRow> = context.client()?.get("/blobs").await?;
    context.emit(&rows, |rows| {
        if rows.is_empty() {
            return "no module keeps blobs".to_owned();
        }
        render::table(&["MODULE", "BLOBS", "SIZE", "QUOTA", "LARGEST"], rows.iter().map(row))
    });
    Ok(Exit::Ok)
}

fn row(row: &BlobsRow) -> Vec<String> {
    let size = |bytes: u64| format!("{} KiB", bytes.div_ceil(1024));
    vec![
        row.module.clone(),
        row.blobs.to_string(),
        size(row.bytes),
        row.quota_bytes.map_or_else(|| "-".to_owned(), size),
        size(row.max_bytes),
    ]
}
