//! SMTP against a real server: answers that are final and answers that are not, TLS and logins, and a server that is away.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use wharf_tests::backends::{Backend, Smtp, SmtpSecurity as Served};

use super::message::tests::mail;
use super::{SmtpMailer, SmtpSecurity, SmtpSettings};
use crate::config::Secret;
use crate::infra::database::SqliteSpaces;
use crate::mail::{Draft, MailHub, MailSettings, Templates};
use crate::ports::clock::SystemClock;
use crate::ports::database::On;
use crate::ports::mail::{Mail, MailError, Mailer as _};
use crate::ports::signals::MemorySignals;
use crate::queue::{Backoff, Queues, State, WatchedDatabases};
use crate::telemetry::Metrics;

fn settings(port: u16) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".into(),
        port,
        security: SmtpSecurity::Plain,
        login: None,
        ca: None,
        timeout: Duration::from_secs(5),
        connections: 2,
    }
}

fn to(address: &str) -> Mail {
    Mail {
        to: vec![address.to_owned()],
        ..mail()
    }
}

async fn start(smtp: Smtp) -> Backend {
    tokio::task::spawn_blocking(|| Backend::start(smtp)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_and_answers_are_told_apart() {
    let server = start(Smtp::default()).await;
    let mailer = SmtpMailer::new(&settings(server.place().port())).unwrap();
    mailer.send(&mail()).await.unwrap();
    let mails = Smtp::mails(server.place());
    assert_eq!(mails.len(), 1);
    assert!(
        mails[0].contains("Message-ID: <0190@example.org>") && mails[0].contains("X-Envelope-To: zoe@example.org, ada@example.org"),
        "{}",
        mails[0]
    );
    let refused = mailer.send(&to("refused@example.org")).await.unwrap_err();
    assert!(matches!(refused, MailError::Refused { .. }), "{refused:?}");
    let later = mailer.send(&to("later@example.org")).await.unwrap_err();
    assert!(matches!(later, MailError::Later { .. }), "{later:?}");
    let mut hasty = settings(server.place().port());
    hasty.timeout = Duration::from_millis(300);
    let hung = SmtpMailer::new(&hasty).unwrap().send(&to("hang@example.org")).await.unwrap_err();
    assert!(matches!(hung, MailError::Later { .. }), "{hung:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_and_a_login_are_insisted_on_and_no_password_is_told() {
    for (served, security) in [
        (Served::StartTls, SmtpSecurity::StartTls),
        (Served::Implicit, SmtpSecurity::Implicit),
    ] {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let server = start(Smtp {
            security: served,
            login: Some(("ada".into(), "canary-right".into())),
            identity: Some((cert.pem(), signing_key.serialize_pem())),
        })
        .await;
        let good = SmtpSettings {
            security,
            login: Some(("ada".into(), Secret::new("canary-right"))),
            ca: Some(cert.pem().into_bytes()),
            ..settings(server.place().port())
        };
        SmtpMailer::new(&good)
            .unwrap()
            .send(&mail())
            .await
            .unwrap_or_else(|error| panic!("{served:?}: {error:?}; {}", server.output()));
        let unknown = SmtpSettings { ca: None, ..good.clone() };
        let wrong = SmtpSettings {
            login: Some(("ada".into(), Secret::new("canary-wrong"))),
            ..good.clone()
        };
        for settings in [unknown, wrong] {
            let error = SmtpMailer::new(&settings).unwrap().send(&mail()).await.unwrap_err();
            assert!(matches!(error, MailError::Later { .. }), "{served:?}: {error:?}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
        assert_eq!(Smtp::mails(server.place()).len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_server_is_down() {
    let mut server = start(Smtp::default()).await;
    server.kill();
    let mailer = Arc::new(SmtpMailer::new(&settings(server.place().port())).unwrap());
    let watched = WatchedDatabases::new(Arc::new(SqliteSpaces::in_memory()));
    let queues = Queues::new(watched, Arc::new(SystemClock), "test", Arc::new(MemorySignals::new()));
    let quick = MailSettings {
        backoff: Backoff {
            first: Duration::from_millis(50),
            most: Duration::from_millis(200),
        },
        attempts: 1000,
        ..MailSettings::default()
    };
    let hub = MailHub::new(queues, mailer, Metrics::new().unwrap(), quick);
    let templates = Templates::new([("n.subject".into(), "Mail {{ n }}".into()), ("n.txt".into(), "text".into())]).unwrap();
    for n in 0..40 {
        let draft = Draft {
            template: "n".into(),
            to: vec!["ada@example.org".into()],
            data: json!({ "n": n }),
            ..Draft::default()
        };
        hub.queue("m", On::Pool, &templates, &draft).await.unwrap();
        if n == 20 {
            server = tokio::task::spawn_blocking(move || {
                server.restart();
                server
            })
            .await
            .unwrap();
        }
        if n == 30 {
            server.kill();
        }
    }
    let server = tokio::task::spawn_blocking(move || {
        server.restart();
        server
    })
    .await
    .unwrap();
    let all_sent = async {
        while hub.list("m", None, Some(State::Done), 100).await.unwrap().len() < 40 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all_sent).await.expect("all are sent");
    let mails = Smtp::mails(server.place());
    let missing: Vec<_> = (0..40)
        .filter(|n| !mails.iter().any(|mail| mail.contains(&format!("Subject: Mail {n}\r\n"))))
        .collect();
    assert!(missing.is_empty(), "lost: {missing:?}; {} mails arrived", mails.len());
}
