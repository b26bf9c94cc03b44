//! How much a client may send, and how long it may take.

use std::time::Duration;

use crate::http::inbound::Pace;

/// Limits of one listener. HTTP/2 keeps hyper's settings: 200 streams at a time, 20 streams that were reset before
/// they were accepted and 1,024 resets for errors of the peer, after which the connection ends (rapid reset).
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections at a time; further ones wait in the system's queue.
    pub connections: usize,
    /// Fields in a request head; 431 above. HTTP/1.1 never takes more than 100.
    pub header_count: usize,
    /// Bytes of a request head; 431 above. At least 8,192.
    pub header_bytes: usize,
    /// Time for a request head to arrive; on HTTP/1.1 also how long a connection may be idle between requests.
    pub header_timeout: Duration,
    /// Time for a TLS handshake.
    pub handshake_timeout: Duration,
    /// Bytes of a request body; 413 above. gRPC streams are limited by message, in the module.
    pub body_bytes: u64,
    /// How fast a request body must arrive while the module waits for it; 408 below.
    pub body_pace: Option<Pace>,
    /// Bytes of one message that comes as JSON through Connect, and of its answer.
    pub message_bytes: u64,
    /// Time for a response to begin, from the end (or the last frame) of the request; a caller's own deadline goes before.
    pub request_timeout: Option<Duration>,
    /// How long a client may refuse to read what is sent to it before its connection is cut.
    pub write_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 10_000,
            header_count: 100,
            header_bytes: 64 * 1024,
            header_timeout: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(10),
            body_bytes: 128 * 1024 * 1024,
            body_pace: Some(Pace {
                bytes: 1024,
                window: Duration::from_secs(10),
            }),
            message_bytes: 4 * 1024 * 1024,
            request_timeout: Some(Duration::from_secs(60)),
            write_timeout: Duration::from_secs(60),
        }
    }
}
