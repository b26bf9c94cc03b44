//! Routes that do not come back. Each ends by itself after the time it is given, so that a test process can end.

use std::time::Duration;

use axum::extract::Path;
use wharf_sdk::{Routes, get};

use crate::Lab;

pub(crate) fn routes(routes: Routes<Lab>) -> Routes<Lab> {
    routes
        .route("/hang", get(hang))
        .public()
        .route("/spin/{milliseconds}", get(spin))
        .public()
        .route("/block/{milliseconds}", get(block))
        .public()
        .route("/spin-in-drop/{milliseconds}", get(spin_in_drop))
        .public()
}

/// Keeps its thread busy when it is dropped.
struct SpinsInDrop(Duration);

impl Drop for SpinsInDrop {
    fn drop(&mut self) {
        crate::spin(self.0);
    }
}

/// Never ends, and lets others run.
async fn hang() -> &'static str {
    std::future::pending().await
}

/// Keeps its thread busy in one poll.
async fn spin(Path(milliseconds): Path<u64>) -> &'static str {
    crate::spin(Duration::from_millis(milliseconds));
    "span\n"
}

/// Blocks its thread in one poll.
async fn block(Path(milliseconds): Path<u64>) -> &'static str {
    std::thread::sleep(Duration::from_millis(milliseconds));
    "blocked\n"
}

/// Keeps the thread busy that drops it: when the client hangs up, or at the deadline.
async fn spin_in_drop(Path(milliseconds): Path<u64>) -> &'static str {
    let _spins = SpinsInDrop(Duration::from_millis(milliseconds));
    std::future::pending().await
}
