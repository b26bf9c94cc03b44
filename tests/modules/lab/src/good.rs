//! Routes that do what they say.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::response::sse::{Event, Sse};
use futures_util::{Stream, stream};
use wharf_sdk::{Health, Problem, Result, Routes, get, post, tracing};

use crate::Lab;

pub(crate) fn routes() -> Routes<Lab> {
    Routes::new()
        .route("/word", get(word))
        .public()
        .route("/echo", post(echo))
        .public()
        .route("/events", get(events))
        .public()
        .route("/big/{mebibytes}", get(big))
        .public()
        .route("/slow/{milliseconds}", get(slow))
        .public()
        .route("/log/{tag}", get(log))
        .public()
        .route("/count", get(count))
        .public()
        .route("/health/{state}", get(health))
        .public()
        .route("/undeclared/service", get(undeclared_service))
        .public()
        .route("/undeclared/channel", get(undeclared_channel))
        .public()
}

async fn word(State(lab): State<Arc<Lab>>) -> String {
    lab.config.word.clone()
}

/// Streams back what is streamed in.
async fn echo(body: Body) -> Body {
    body
}

/// Server-sent events until the client hangs up, the first at once.
async fn events(State(lab): State<Arc<Lab>>) -> Sse<impl Stream<Item = std::result::Result<Event, Infallible>>> {
    Sse::new(stream::unfold(0_u64, move |number| {
        let ctx = lab.ctx.clone();
        async move {
            if number > 0 {
                ctx.sleep(Duration::from_millis(20)).await;
            }
            Some((Ok(Event::default().data(number.to_string())), number + 1))
        }
    }))
}

async fn big(Path(mebibytes): Path<usize>) -> Body {
    static PIECE: [u8; 64 * 1024] = [b'Z'; 64 * 1024];
    let pieces = (0..mebibytes * 16).map(|_| Ok::<_, Infallible>(Bytes::from_static(&PIECE)));
    Body::from_stream(stream::iter(pieces))
}

async fn slow(State(lab): State<Arc<Lab>>, Path(milliseconds): Path<u64>) -> String {
    lab.ctx.sleep(Duration::from_millis(milliseconds)).await;
    lab.config.word.clone()
}

/// An event of each level, in two spans.
async fn log(Path(tag): Path<String>) -> &'static str {
    let outer = tracing::info_span!("outer", tag);
    let _outer = outer.enter();
    let inner = tracing::info_span!("inner", depth = 2_u64);
    let _inner = inner.enter();
    tracing::error!(tag, number = -1_i64, "an error event");
    tracing::warn!(tag, flag = true, "a warn event");
    tracing::info!(tag, ratio = 0.5_f64, "an info event");
    tracing::debug!(tag, "a debug event");
    tracing::trace!(tag, "a trace event");
    "logged\n"
}

async fn count(State(lab): State<Arc<Lab>>) -> &'static str {
    lab.counter.increment();
    "counted\n"
}

async fn health(State(lab): State<Arc<Lab>>, Path(state): Path<String>) -> Result<&'static str> {
    let health = match state.as_str() {
        "serving" => Health::serving(),
        "degraded" => Health::degraded("asked to be"),
        "not-serving" => Health::not_serving("asked not to be"),
        _ => return Err(Problem::bad_request("expected serving, degraded or not-serving")),
    };
    lab.ctx.health()?.set("asked", health);
    Ok("set\n")
}

/// `wharf.toml` does not list the core service.
async fn undeclared_service(State(lab): State<Arc<Lab>>) -> Result<&'static str> {
    match lab.ctx.errors() {
        Ok(_) => Ok("it was given\n"),
        Err(fault) => Err(Problem::unprocessable(fault.to_string())),
    }
}

/// `wharf.toml` does not list the module.
async fn undeclared_channel(State(lab): State<Arc<Lab>>) -> Result<&'static str> {
    match lab.ctx.channel("hello") {
        Ok(_) => Ok("it was given\n"),
        Err(fault) => Err(Problem::unprocessable(fault.to_string())),
    }
}
