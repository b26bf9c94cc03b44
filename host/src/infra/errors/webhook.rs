//! Reports as JSON by POST: to whatever collects them.

use std::time::Duration;

use reqwest::{Client, Url};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::dropped;
use crate::ports::errors::{ErrorEvent, ErrorSink};

/// Reports that wait to be sent; more are dropped and counted.
const WAITING: usize = 256;
/// How long one may take to be taken.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Pauses before it is sent again; after the last it is dropped.
const AGAIN: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)];

/// Why a webhook cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WebhookError {
    /// It is no URL, or none of HTTP. The URL may hold a token, so it is not repeated.
    #[error("found a webhook that is no URL of http or https")]
    Url,
    /// TLS cannot be used.
    #[error("the client of the webhook cannot be made")]
    Client(#[source] reqwest::Error),
}

/// Sends reports one after the other, in the background.
#[derive(Debug)]
pub struct WebhookSink {
    queue: mpsc::Sender<ErrorEvent>,
    sender: AbortHandle,
}

impl WebhookSink {
    /// Begins to send. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`WebhookError`]
    pub fn start(url: &str) -> Result<Self, WebhookError> {
        let url = Url::parse(url).map_err(|_| WebhookError::Url)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(WebhookError::Url);
        }
        // The one provider of this program; it may be installed already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().timeout(TIMEOUT).build().map_err(WebhookError::Client)?;
        let (queue, waiting) = mpsc::channel(WAITING);
        let sender = tokio::spawn(send_all(client, url, waiting)).abort_handle();
        Ok(Self { queue, sender })
    }
}

impl ErrorSink for WebhookSink {
    fn report(&self, event: &ErrorEvent) {
        if self.queue.try_send(event.clone()).is_err() {
            dropped("webhook");
        }
    }
}

impl Drop for WebhookSink {
    fn drop(&mut self) {
        self.sender.abort();
    }
}

async fn send_all(client: Client, url: Url, mut waiting: mpsc::Receiver<ErrorEvent>) {
    let mut failing = false;
    while let Some(event) = waiting.recv().await {
        match send(&client, &url, &event).await {
            Ok(()) => failing = false,
            Err(why) => {
                dropped("webhook");
                // Once, not for each report; without the URL, which may hold a token.
                if !failing {
                    tracing::warn!(error = why, "reports of failures are not taken by the webhook");
                }
                failing = true;
            }
        }
    }
}

async fn send(client: &Client, url: &Url, event: &ErrorEvent) -> Result<(), String> {
    let body = serde_json::to_vec(event).map_err(|error| error.to_string())?;
    let mut pauses = AGAIN.iter();
    loop {
        let request = client
            .post(url.clone())
            .header("content-type", "application/json")
            .body(body.clone());
        let why = match request.send().await {
            Ok(response) if response.status().is_success() => return Ok(()),
            Ok(response) => format!("status {}", response.status().as_u16()),
            Err(error) => error.without_url().to_string(),
        };
        match pauses.next() {
            Some(pause) => tokio::time::sleep(*pause).await,
            None => return Err(why),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::post;

    use super::super::grouped::event;
    use super::*;

    #[tokio::test]
    async fn a_report_is_sent_again_until_it_is_taken() {
        let (asked, (taken, mut came)) = (Arc::new(AtomicU32::new(0)), mpsc::channel(4));
        let answer = {
            let asked = asked.clone();
            move |body: String| async move {
                if asked.fetch_add(1, Ordering::SeqCst) == 0 {
                    return StatusCode::SERVICE_UNAVAILABLE;
                }
                taken.send(body).await.unwrap();
                StatusCode::NO_CONTENT
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/hook", post(answer))).await });
        let sink = WebhookSink::start(&url).unwrap();
        sink.report(&event("lost"));
        let body = tokio::time::timeout(Duration::from_secs(10), came.recv()).await.unwrap().unwrap();
        let json: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((json["message"].as_str(), json["module"].as_str()), (Some("lost"), Some("blog")));
        assert_eq!(asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_flood_never_blocks_and_a_bad_url_is_not_repeated() {
        let sink = WebhookSink::start("http://127.0.0.1:9/").unwrap();
        for n in 0..WAITING * 4 {
            sink.report(&event(&n.to_string()));
        }
        for url in ["canary", "ftp://canary/"] {
            let error = WebhookSink::start(url).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
        }
    }
}
