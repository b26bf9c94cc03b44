//! Routes that panic, each in another entry point.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use futures_util::stream;
use wharf_sdk::{Routes, get};

use crate::Lab;

pub(crate) fn routes(routes: Routes<Lab>) -> Routes<Lab> {
    routes
        .route("/panic/handler", get(handler))
        .public()
        .route("/panic/await", get(after_await))
        .public()
        .route("/panic/body", get(body))
        .public()
        .route("/panic/drop", get(in_drop))
        .public()
        .route("/panic/task", get(task))
        .public()
        .route("/panic/spawn", get(spawn))
        .public()
        .route("/panic/timer", get(timer))
        .public()
        .route("/panic/thread", get(thread))
        .public()
}

/// Panics when it is dropped.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("the drop panics as asked");
    }
}

async fn handler() -> &'static str {
    panic!("the handler panics as asked")
}

async fn after_await(State(lab): State<Arc<Lab>>) -> &'static str {
    lab.ctx.sleep(Duration::from_millis(5)).await;
    panic!("the handler panics after an await as asked")
}

/// Three good pieces, then a panic.
async fn body(State(lab): State<Arc<Lab>>) -> Body {
    Body::from_stream(stream::unfold(0, move |number| {
        let ctx = lab.ctx.clone();
        async move {
            ctx.sleep(Duration::from_millis(10)).await;
            assert!(number < 3, "the body panics as asked");
            Some((Ok::<_, Infallible>(Bytes::from_static(b"piece\n")), number + 1))
        }
    }))
}

/// Panics when the host drops it: when the client hangs up, or at the deadline.
async fn in_drop() -> &'static str {
    let _panics = PanicsInDrop;
    std::future::pending().await
}

async fn task() -> &'static str {
    tokio::spawn(async { panic!("the tokio task panics as asked") });
    "spawned\n"
}

async fn spawn(State(lab): State<Arc<Lab>>) -> &'static str {
    lab.ctx.spawn(async { panic!("the spawned task panics as asked") });
    "spawned\n"
}

async fn timer(State(lab): State<Arc<Lab>>) -> &'static str {
    let ctx = lab.ctx.clone();
    lab.ctx.spawn(async move {
        ctx.sleep(Duration::from_millis(5)).await;
        panic!("the timer panics as asked");
    });
    "set\n"
}

async fn thread(State(lab): State<Arc<Lab>>) -> &'static str {
    let ctx = lab.ctx.clone();
    std::thread::spawn(move || ctx.enter(|| panic!("the thread panics as asked")));
    "started\n"
}
