//! What becomes of mails in the queue.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::json;

use super::*;
use crate::ports::clock::SystemClock;
use crate::ports::mail::{MailFuture, MemoryMailer};
use crate::ports::signals::MemorySignals;
use crate::queue::WatchedDatabases;
use crate::services::Backends;

/// Fails in one way, so many times.
#[derive(Debug)]
struct Failing {
    times: AtomicU32,
    is_final: bool,
    inner: MemoryMailer,
}

impl Mailer for Failing {
    fn send<'a>(&'a self, mail: &'a Mail) -> MailFuture<'a> {
        let fails = self
            .times
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok();
        let answer = "canned".to_owned();
        match (fails, self.is_final) {
            (true, true) => Box::pin(async { Err(MailError::Refused { answer }) }),
            (true, false) => Box::pin(async { Err(MailError::Later { answer, source: None }) }),
            (false, _) => self.inner.send(mail),
        }
    }
}

fn hub(mailer: Arc<dyn Mailer>, attempts: u32) -> MailHub {
    let watched = WatchedDatabases::new(Backends::in_memory().databases);
    let queues = Queues::new(watched, Arc::new(SystemClock), "test", Arc::new(MemorySignals::new()));
    let settings = MailSettings {
        attempts,
        per_minute: 5,
        backoff: Backoff {
            first: Duration::from_millis(1),
            most: Duration::from_millis(2),
        },
        ..MailSettings::default()
    };
    MailHub::new(queues, mailer, Metrics::new().unwrap(), settings)
}

fn templates() -> Templates {
    Templates::new([("hi.subject".into(), "Hi {{ name }}".into()), ("hi.txt".into(), "Hello".into())]).unwrap()
}

fn draft(to: &str) -> Draft {
    Draft {
        template: "hi".into(),
        to: vec![to.into()],
        data: json!({ "name": "Ada" }),
        ..Draft::default()
    }
}

async fn reached(hub: &MailHub, id: &str, state: State) -> MailRow {
    let wait = async {
        loop {
            let row = hub.list("m", Some(id), None, 1).await.unwrap().pop().unwrap();
            if row.state == state {
                return row;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap()
}

#[tokio::test]
async fn a_mail_is_sent_and_can_be_looked_at() {
    let mailer = MemoryMailer::new();
    let hub = hub(Arc::new(mailer.clone()), 3);
    let id = hub
        .queue("m", On::Pool, &templates(), &draft("Ada <ada@example.org>"))
        .await
        .unwrap();
    let row = reached(&hub, &id, State::Done).await;
    assert_eq!(
        (row.subject.as_str(), row.template.as_str(), row.text.as_deref()),
        ("Hi Ada", "hi", Some("Hello"))
    );
    let sent = mailer.sent();
    assert_eq!(sent.len(), 1);
    assert_eq!(sent.first().unwrap().message_id, format!("{id}@localhost"));
    assert!(
        hub.list("m", None, None, 10).await.unwrap().first().unwrap().text.is_none(),
        "a list has no texts"
    );
    assert!(hub.list("other", None, None, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn what_may_succeed_later_is_tried_again_and_what_cannot_is_dead_at_once() {
    let inner = MemoryMailer::new();
    let failing = |times, is_final| {
        Arc::new(Failing {
            times: AtomicU32::new(times),
            is_final,
            inner: inner.clone(),
        })
    };
    let later = hub(failing(2, false), 5);
    let id = later.queue("m", On::Pool, &templates(), &draft("ada@example.org")).await.unwrap();
    assert_eq!(reached(&later, &id, State::Done).await.attempts, 3);
    let refused = hub(failing(1, true), 5);
    let id = refused.queue("m", On::Pool, &templates(), &draft("ada@example.org")).await.unwrap();
    let row = reached(&refused, &id, State::Dead).await;
    assert_eq!(
        (row.attempts, row.error),
        (1, vec!["the mail server refuses the mail: canned".to_owned()])
    );
    // An operator has mended it.
    assert_eq!(refused.retry("m", Some(&id)).await.unwrap(), 1);
    reached(&refused, &id, State::Done).await;
    let never = hub(failing(100, false), 3);
    let id = never.queue("m", On::Pool, &templates(), &draft("ada@example.org")).await.unwrap();
    assert_eq!(reached(&never, &id, State::Dead).await.attempts, 3);
    assert_eq!(inner.sent().len(), 2);
}

#[tokio::test]
async fn a_mail_of_a_transaction_goes_with_it() {
    let mailer = MemoryMailer::new();
    let hub = hub(Arc::new(mailer.clone()), 3);
    let space = hub.start("m").await.unwrap().space().clone();
    let undone = space.begin(crate::ports::database::Begin::default()).await.unwrap();
    hub.queue("m", On::Tx(undone), &templates(), &draft("ada@example.org"))
        .await
        .unwrap();
    space.rollback(undone).await.unwrap();
    let kept = space.begin(crate::ports::database::Begin::default()).await.unwrap();
    let id = hub.queue("m", On::Tx(kept), &templates(), &draft("ada@example.org")).await.unwrap();
    space.commit(kept).await.unwrap();
    reached(&hub, &id, State::Done).await;
    assert_eq!(mailer.sent().len(), 1);
}

#[tokio::test]
async fn what_is_no_address_and_too_many_are_refused() {
    let hub = hub(Arc::new(MemoryMailer::new()), 3);
    for wrong in [
        "",
        "ada",
        "ada@",
        "@example.org",
        "a@example.org\r\nBcc: b@example.org",
        "a b@example.org",
        "a@example.org, b@example.org",
    ] {
        let error = hub.queue("m", On::Pool, &templates(), &draft(wrong)).await.unwrap_err();
        assert!(matches!(error, QueueError::Address { .. }), "{wrong:?}: {error:?}");
    }
    for _ in 0..5 {
        hub.queue("m", On::Pool, &templates(), &draft("ada@example.org")).await.unwrap();
    }
    let error = hub.queue("m", On::Pool, &templates(), &draft("ada@example.org")).await.unwrap_err();
    assert!(matches!(error, QueueError::TooMany(5)), "{error:?}");
}
