//! What a module says of itself, and whom it reaches.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_sdk::{Error, Health, tracing};

use crate::Gamut;
use crate::greeter::HelloRequest;
use crate::greeter::greeter_client::GreeterClient;

pub(crate) fn config(gamut: &Gamut) -> Value {
    json!({ "word": gamut.config.word })
}

/// A span whose field is filled later, and events of every level within it.
pub(crate) fn log() -> Value {
    let span = tracing::info_span!("gamut span", from = "here", to = tracing::field::Empty);
    let inside = span.enter();
    span.record("to", "there");
    tracing::error!(number = 1_i64, "gamut error");
    tracing::warn!(truth = true, "gamut warning");
    tracing::info!(share = 0.5, "gamut information");
    tracing::debug!(word = "deep", "gamut detail");
    tracing::trace!("gamut trace");
    drop(inside);
    json!({ "debug": tracing::enabled!(tracing::Level::DEBUG) })
}

pub(crate) fn metrics(gamut: &Gamut) -> Result<Value, Error> {
    let metrics = gamut.ctx.metrics()?;
    let steps = metrics.counter("gamut_steps_total", "Steps", &[("place", "shore")])?;
    steps.increment();
    steps.add(2.0);
    metrics.gauge("gamut_tide", "Height of the tide", &[])?.set(4.5);
    let seconds = metrics.histogram("gamut_walk_seconds", "Time of a walk", &[])?;
    seconds.observe(0.2);
    seconds.observe(3.0);
    let refused = metrics.gauge("not a name", "", &[]).is_err();
    Ok(json!({ "refused": refused }))
}

pub(crate) fn health(gamut: &Gamut) -> Result<Value, Error> {
    let checks = gamut.ctx.health()?;
    checks.set("tide", Health::degraded("it is low"));
    checks.set("wind", Health::serving());
    Ok(json!({ "set": 2 }))
}

/// An error with a cause.
#[derive(Debug)]
struct Lost(fmt::Error);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the gamut is lost")
    }
}

impl std::error::Error for Lost {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

pub(crate) fn errors(gamut: &Gamut) -> Result<Value, Error> {
    gamut.ctx.errors()?.report("gamut.lost", &Lost(fmt::Error));
    Ok(json!({ "reported": "gamut.lost" }))
}

/// A task of the host's runtime and its clock.
pub(crate) async fn runtime(gamut: &Gamut) -> Result<Value, Error> {
    let (done, ctx) = (Arc::new(AtomicBool::new(false)), gamut.ctx.clone());
    let tell = Arc::clone(&done);
    gamut.ctx.spawn(async move {
        ctx.sleep(Duration::from_millis(5)).await;
        tell.store(true, Ordering::SeqCst);
    });
    for _ in 0..1000 {
        if done.load(Ordering::SeqCst) {
            return Ok(json!({ "spawned": true }));
        }
        gamut.ctx.sleep(Duration::from_millis(10)).await;
    }
    Err("the task did not run within 10 s".into())
}

/// Another module, in the name of the caller and in its own.
pub(crate) async fn channel(gamut: &Gamut) -> Result<Value, Error> {
    let mut greeted = Vec::new();
    for (channel, name) in [
        (gamut.ctx.channel("greeter")?, "caller"),
        (gamut.ctx.own().channel("greeter")?, "gamut"),
    ] {
        let answer = GreeterClient::new(channel).hello(HelloRequest { name: name.to_owned() }).await?;
        greeted.push(answer.into_inner().message);
    }
    let undeclared = gamut.ctx.channel("blog").err().map(|fault| fault.code.name());
    Ok(json!({ "greeted": greeted, "undeclared": undeclared }))
}
