//! Publishing with confirms: the transport of the host, and lapin used directly.

use std::time::Instant;

use anyhow::{Result, ensure};
use jiff::Timestamp;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use wharf_host::infra::events::RabbitTransport;
use wharf_host::ports::transport::{Address, Parcel, Transport as _};

use crate::report::{Report, Spread};

const MESSAGES: usize = 20_000;
const WINDOW: usize = 500;
const ROUNDS: usize = 7;
const SIZE: usize = 512;
const EXCHANGE: &str = "bench.events";
const SUBJECT: &str = "bench.message.sent.v1";

/// Both sides in turn, so that what the machine does meanwhile falls on both.
pub(super) async fn run(report: &mut Report, url: &str) -> Result<()> {
    let transport = RabbitTransport::new(url, EXCHANGE);
    let to = Address {
        module: "bench".to_owned(),
        subscription: format!("take-{}", Timestamp::now().as_millisecond()),
        event_type: SUBJECT.to_owned(),
    };
    transport.route(&to).await?;
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let (mut theirs, mut ours, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let bare = directly(&channel).await?;
        let wharf = through(&transport).await?;
        ratios.push(bare / wharf * 100.0);
        theirs.push(bare);
        ours.push(wharf);
    }
    report.figure("lapin used directly, messages a second", Spread::of(theirs).middle, "/s", None, "");
    report.figure("the transport of the host", Spread::of(ours).middle, "/s", None, "");
    let ratio = Spread::of(ratios);
    let note = format!("{:.0} to {:.0}; 0.8 of lapin is 125", ratio.least, ratio.most);
    report.figure("lapin / wharf times 100", ratio.middle, "%", Some(125.0), &note);
    Ok(())
}

async fn through(transport: &RabbitTransport) -> Result<f64> {
    let parcel = |number: usize| Parcel {
        id: number.to_string(),
        event_type: SUBJECT.to_owned(),
        envelope: vec![b'x'; SIZE],
    };
    let parcels: Vec<Parcel> = (0..WINDOW).map(parcel).collect();
    let began = Instant::now();
    for _ in 0..MESSAGES / WINDOW {
        let sent = transport.send(&parcels).await?;
        ensure!(sent == WINDOW, "found {sent} messages taken, expected {WINDOW}");
    }
    Ok(MESSAGES as f64 / began.elapsed().as_secs_f64())
}

async fn directly(channel: &Channel) -> Result<f64> {
    let began = Instant::now();
    for _ in 0..MESSAGES / WINDOW {
        let mut confirms = Vec::with_capacity(WINDOW);
        for number in 0..WINDOW {
            let options = BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            };
            let properties = BasicProperties::default()
                .with_delivery_mode(2)
                .with_message_id(number.to_string().into())
                .with_content_type("application/cloudevents+json".into());
            let sent = channel.basic_publish(EXCHANGE.into(), SUBJECT.into(), options, &[b'x'; SIZE], properties);
            confirms.push(sent.await?);
        }
        for confirm in confirms {
            ensure!(confirm.await?.is_ack(), "the broker did not take a message");
        }
    }
    Ok(MESSAGES as f64 / began.elapsed().as_secs_f64())
}
