//! Transports of events.

#[cfg(feature = "rabbitmq")]
mod rabbitmq;

#[cfg(feature = "rabbitmq")]
pub use rabbitmq::RabbitTransport;
