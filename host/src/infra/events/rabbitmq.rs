//! Events over RabbitMQ.
//!
//! A durable topic exchange takes every event under its subject; each subscription has a durable queue
//! `EXCHANGE.MODULE.SUBSCRIPTION`, bound to its subject. Publishing waits for confirms, and is mandatory: an event that no
//! queue takes comes back, which counts as not sent (an acknowledgement alone does not say that anybody has it). What cannot be
//! decoded goes to `EXCHANGE.dlx` and the queue's `.dlq`. A connection that breaks is opened again by whoever needs it, so
//! nothing of an earlier one is relied on: confirms that were waited for are errors, and their events are sent again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicNackOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::sync::Mutex;
use tokio::task::AbortHandle;

use crate::ports::transport::{Address, Intake, Parcel, Receiving, Taken, Transport, TransportError, TransportFuture};

/// Messages a consumer has unacknowledged.
const PREFETCH: u16 = 200;
/// Before a broker that was away is tried again.
const PAUSE: Duration = Duration::from_millis(500);
/// Longest time for the broker to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Messages that survive a restart of the broker.
const PERSISTENT: u8 = 2;

/// Events over RabbitMQ.
pub struct RabbitTransport {
    broker: Arc<Broker>,
    /// The channel for publishing, while it works.
    publishing: Mutex<Option<Open>>,
}

struct Broker {
    url: String,
    exchange: String,
}

/// A channel, and the connection it needs.
struct Open {
    channel: Channel,
    _connection: Connection,
}

struct Consumer(AbortHandle);

impl RabbitTransport {
    /// For this broker; nothing is connected yet.
    #[must_use]
    pub fn new(url: &str, exchange: &str) -> Self {
        Self {
            broker: Arc::new(Broker {
                url: url.to_owned(),
                exchange: exchange.to_owned(),
            }),
            publishing: Mutex::new(None),
        }
    }

    /// Sends a window of parcels, and waits for the confirms in order.
    async fn publish(&self, parcels: &[Parcel]) -> Result<usize, lapin::Error> {
        let mut publishing = self.publishing.lock().await;
        if !publishing.as_ref().is_some_and(|open| open.channel.status().connected()) {
            let open = self.broker.open().await?;
            open.channel.confirm_select(ConfirmSelectOptions::default()).await?;
            *publishing = Some(open);
        }
        let Some(open) = publishing.as_ref() else { return Ok(0) };
        let mut confirms = Vec::with_capacity(parcels.len());
        for parcel in parcels {
            let options = BasicPublishOptions {
                mandatory: true,
                ..BasicPublishOptions::default()
            };
            let properties = BasicProperties::default()
                .with_delivery_mode(PERSISTENT)
                .with_message_id(parcel.id.as_str().into())
                .with_content_type("application/cloudevents+json".into());
            let exchange = self.broker.exchange.as_str().into();
            confirms.push(
                open.channel
                    .basic_publish(exchange, parcel.event_type.as_str().into(), options, &parcel.envelope, properties)
                    .await?,
            );
        }
        let mut sent = 0;
        let mut is_whole = true;
        for confirm in confirms {
            let confirmation = confirm.await?;
            is_whole &= confirmation.is_ack() && confirmation.take_message().is_none();
            sent += usize::from(is_whole);
        }
        Ok(sent)
    }
}

impl Broker {
    async fn open(&self) -> Result<Open, lapin::Error> {
        let properties = ConnectionProperties::default().with_connection_name("wharf".into());
        let connection = Connection::connect(&self.url, properties).await?;
        let channel = connection.create_channel().await?;
        for (name, kind) in [
            (self.exchange.clone(), ExchangeKind::Topic),
            (format!("{}.dlx", self.exchange), ExchangeKind::Direct),
        ] {
            let options = ExchangeDeclareOptions {
                durable: true,
                ..ExchangeDeclareOptions::default()
            };
            channel
                .exchange_declare(name.as_str().into(), kind, options, FieldTable::default())
                .await?;
        }
        Ok(Open {
            channel,
            _connection: connection,
        })
    }

    fn queue(&self, of: &Address) -> String {
        format!("{}.{}.{}", self.exchange, of.module, of.subscription)
    }

    async fn route(&self, channel: &Channel, to: &Address) -> Result<String, lapin::Error> {
        let queue = self.queue(to);
        let dead = (format!("{}.dlx", self.exchange), format!("{queue}.dlq"));
        let options = QueueDeclareOptions {
            durable: true,
            ..QueueDeclareOptions::default()
        };
        channel
            .queue_declare(dead.1.as_str().into(), options, FieldTable::default())
            .await?;
        let bind = QueueBindOptions::default();
        channel
            .queue_bind(
                dead.1.as_str().into(),
                dead.0.as_str().into(),
                queue.as_str().into(),
                bind,
                FieldTable::default(),
            )
            .await?;
        let mut arguments = FieldTable::default();
        arguments.insert("x-dead-letter-exchange".into(), AMQPValue::LongString(dead.0.as_str().into()));
        arguments.insert("x-dead-letter-routing-key".into(), AMQPValue::LongString(queue.as_str().into()));
        channel.queue_declare(queue.as_str().into(), options, arguments).await?;
        let subject = to.event_type.as_str().into();
        channel
            .queue_bind(
                queue.as_str().into(),
                self.exchange.as_str().into(),
                subject,
                bind,
                FieldTable::default(),
            )
            .await?;
        Ok(queue)
    }

    /// Consumes until the channel breaks.
    async fn consume(&self, from: &Address, intake: &Arc<dyn Intake>) -> Result<(), lapin::Error> {
        let open = self.open().await?;
        let queue = self.route(&open.channel, from).await?;
        open.channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let mut consumer = open
            .channel
            .basic_consume(queue.as_str().into(), "".into(), options, FieldTable::default())
            .await?;
        while let Some(delivery) = consumer.next().await {
            let delivery = delivery?;
            match intake.take(from, delivery.data.clone()).await {
                Taken::Kept => {
                    delivery.ack(BasicAckOptions::default()).await?;
                }
                Taken::Undecodable => {
                    let aside = BasicNackOptions {
                        requeue: false,
                        ..BasicNackOptions::default()
                    };
                    delivery.nack(aside).await?;
                }
                Taken::Later => {
                    // The order of a queue holds only when what comes after it waits too.
                    tokio::time::sleep(PAUSE).await;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

impl Transport for RabbitTransport {
    fn route<'a>(&'a self, to: &'a Address) -> TransportFuture<'a, Result<(), TransportError>> {
        Box::pin(async move {
            let routed = async {
                let open = self.broker.open().await?;
                self.broker.route(&open.channel, to).await.map(drop)
            };
            in_time(routed).await.map_err(|source| TransportError {
                doing: "make a queue",
                source,
            })
        })
    }

    fn send<'a>(&'a self, parcels: &'a [Parcel]) -> TransportFuture<'a, Result<usize, TransportError>> {
        Box::pin(async move {
            let sent = in_time(self.publish(parcels)).await;
            if sent.is_err() {
                *self.publishing.lock().await = None;
            }
            sent.map_err(|source| TransportError {
                doing: "take events",
                source,
            })
        })
    }

    fn receive(&self, from: Address, intake: Arc<dyn Intake>) -> Box<dyn Receiving> {
        let broker = self.broker.clone();
        let task = tokio::spawn(async move {
            let mut is_failing = false;
            loop {
                match broker.consume(&from, &intake).await {
                    Ok(()) => is_failing = false,
                    Err(error) => {
                        if !std::mem::replace(&mut is_failing, true) {
                            tracing::warn!(module.id = from.module, subscription = from.subscription, error = %error, "the broker does not bring events; it is tried again twice a second");
                        }
                    }
                }
                tokio::time::sleep(PAUSE).await;
            }
        });
        Box::new(Consumer(task.abort_handle()))
    }
}

impl Receiving for Consumer {}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, lapin::Error>>) -> Result<T, Box<dyn std::error::Error + Send + Sync>> {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(result) => result.map_err(Into::into),
        Err(_) => Err(format!("no answer within {} s", PATIENCE.as_secs()).into()),
    }
}

impl std::fmt::Debug for RabbitTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RabbitTransport")
            .field("exchange", &self.broker.exchange)
            .finish_non_exhaustive()
    }
}
