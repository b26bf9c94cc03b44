//! The module's HTTP routes, below `/greeter`.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::response::sse::{Event, Sse};
use serde::{Deserialize, Serialize};
use tokio_stream::{Stream, StreamExt as _};
use wharf_sdk::{Problem, Result, Routes, get};

use crate::greeter::{Greeter, Refusal};

/// The answer of `/hello/{name}`.
#[derive(Debug, Serialize)]
struct Greeting {
    message: String,
}

/// The answer of `/statistics`.
#[derive(Debug, Serialize)]
struct Statistics {
    greetings: u64,
}

/// The query of `/count`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Count {
    limit: u32,
    #[serde(default)]
    interval_ms: u32,
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::bad_request(refusal.to_string())
    }
}

pub(crate) fn routes() -> Routes<Greeter> {
    Routes::new()
        .route("/hello/{name}", get(hello))
        .public()
        .route("/count", get(count))
        .public()
        .route("/statistics", get(statistics))
        .require("greeter.admin")
}

async fn hello(State(greeter): State<Arc<Greeter>>, Path(name): Path<String>) -> Result<Json<Greeting>> {
    let message = greeter.greet(&name)?;
    Ok(Json(Greeting { message }))
}

/// Server-sent events: one event a number, whose id is the number.
async fn count(
    State(greeter): State<Arc<Greeter>>,
    Query(query): Query<Count>,
) -> Result<Sse<impl Stream<Item = std::result::Result<Event, Infallible>>>> {
    let numbers = greeter.count(query.limit, Duration::from_millis(query.interval_ms.into()))?;
    let events = numbers.map(|number| Ok(Event::default().id(number.to_string()).data(number.to_string())));
    Ok(Sse::new(events))
}

async fn statistics(State(greeter): State<Arc<Greeter>>) -> Json<Statistics> {
    Json(Statistics {
        greetings: greeter.greetings(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::Config;
    use axum::response::IntoResponse as _;

    #[tokio::test]
    async fn greetings_over_http_are_counted() {
        let greeter = Arc::new(Greeter::new(Config::default()));
        let Json(greeting) = hello(State(Arc::clone(&greeter)), Path("Ada".to_owned())).await.unwrap();
        assert_eq!(greeting.message, "Hello, Ada!");
        assert_eq!(statistics(State(greeter)).await.greetings, 1);
    }

    #[tokio::test]
    async fn a_refusal_is_a_bad_request() {
        let greeter = Arc::new(Greeter::new(Config::default()));
        let problem = hello(State(greeter), Path(" ".to_owned())).await.unwrap_err();
        assert_eq!(problem.into_response().status(), 400);
    }

    #[tokio::test]
    async fn a_count_is_one_event_a_number() {
        let greeter = Arc::new(Greeter::new(Config::default()));
        let query = Count { limit: 2, interval_ms: 0 };
        let response = count(State(greeter), Query(query)).await.unwrap().into_response();
        assert_eq!(response.headers().get("content-type").unwrap(), "text/event-stream");
        let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
        assert_eq!(body, "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\n");
    }
}
