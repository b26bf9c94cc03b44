//! Publishing to RabbitMQ with confirms: through the transport of the host, and with lapin directly.

use std::time::Instant;

use anyhow::{Result, anyhow, ensure};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Connection, ConnectionProperties};
use wharf_host::infra::events::RabbitTransport;
use wharf_host::ports::transport::{Address, Parcel, Transport as _};

use crate::report::{Report, Spread};

/// Events of one round, in windows as the relay sends them, and rounds of each side in turn.
const EVENTS: usize = 10_000;
const WINDOW: usize = 200;
const ROUNDS: usize = 9;
/// At most so much of the time of the bare client, in per cent: 0.8 of its events a second.
const BAR: f64 = 125.0;
const SERVER: &str = "WHARF_TEST_AMQP_URL";
const EXCHANGE: &str = "bench";
const SUBJECT: &str = "bench.noted.v1";
const PERSISTENT: u8 = 2;

/// Both sides publish to one durable queue, persistent and mandatory, and wait for the confirms of each window.
pub(crate) fn run(report: &mut Report) -> Result<()> {
    report.section(
        "rabbitmq: 10,000 events of 300 bytes with confirms, 200 at a time",
        "with-servers --only rabbitmq -- wharf-bench rabbitmq",
    );
    let Ok(url) = std::env::var(SERVER) else {
        report.hole(&format!("{SERVER} is not set; run this with `with-servers --only rabbitmq`"));
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let transport = RabbitTransport::new(&url, EXCHANGE);
        let to = Address {
            module: "bench".to_owned(),
            subscription: "count".to_owned(),
            event_type: SUBJECT.to_owned(),
        };
        transport.route(&to).await.map_err(|error| anyhow!("{error}: {}", error.source))?;
        let parcels: Vec<Parcel> = (0..EVENTS).map(parcel).collect();
        let connection = Connection::connect(&url, ConnectionProperties::default()).await?;
        let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let lapin = bare(&connection, &parcels).await?;
            let wharf = sent(&transport, &parcels).await?;
            theirs.push(lapin);
            ours.push(wharf);
            ratios.push(wharf / lapin * 100.0);
        }
        for (name, times) in [("lapin used directly", theirs), ("through the transport", ours)] {
            let spread = Spread::of(times);
            let note = format!("an event; {:.0} a second", 1e6 / spread.middle);
            report.figure(name, spread.middle, "us", None, &note);
        }
        let ratio = Spread::of(ratios);
        let note = format!("{:.0} to {:.0}", ratio.least, ratio.most);
        report.figure("time beside lapin", ratio.middle, "%", Some(BAR), &note);
        Ok(())
    })
}

fn parcel(n: usize) -> Parcel {
    Parcel {
        id: format!("{n:036}"),
        event_type: SUBJECT.to_owned(),
        envelope: vec![b'x'; 300],
    }
}

fn per_event(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e6 / EVENTS as f64
}

async fn sent(transport: &RabbitTransport, parcels: &[Parcel]) -> Result<f64> {
    let began = Instant::now();
    for window in parcels.chunks(WINDOW) {
        let sent = transport.send(window).await.map_err(|error| anyhow!("{error}: {}", error.source))?;
        ensure!(sent == window.len(), "the broker took {sent} of {} events", window.len());
    }
    Ok(per_event(began))
}

async fn bare(connection: &Connection, parcels: &[Parcel]) -> Result<f64> {
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let began = Instant::now();
    for window in parcels.chunks(WINDOW) {
        let mut confirms = Vec::with_capacity(window.len());
        for parcel in window {
            let options = BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            };
            let properties = BasicProperties::default()
                .with_delivery_mode(PERSISTENT)
                .with_message_id(parcel.id.as_str().into())
                .with_content_type("application/cloudevents+json".into());
            confirms.push(
                channel
                    .basic_publish(EXCHANGE.into(), SUBJECT.into(), options, &parcel.envelope, properties)
                    .await?,
            );
        }
        for confirm in confirms {
            ensure!(confirm.await?.is_ack(), "the broker did not take an event");
        }
    }
    let each = per_event(began);
    channel.close(200, "done".into()).await?;
    Ok(each)
}
