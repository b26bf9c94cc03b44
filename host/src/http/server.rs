//! The server: HTTP/1.1, HTTP/2 and gRPC on one port, with or without TLS.

mod connection;
pub mod listener;
mod stream;
pub mod tls;

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use self::connection::Connections;
pub use self::listener::{Inherited, ListenError, Listener};
pub use self::tls::{Tls, TlsError};
use super::gateway::Gateway;

/// A server that accepts connections. Dropping it stops at once, without grace.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    gateway: Arc<Gateway>,
    connections: Connections,
    accepting: JoinHandle<()>,
    /// Only the accepting task keeps the socket open.
    socket: Weak<Listener>,
}

/// How a shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// Requests that were cut off because they had not ended by the deadline.
    pub cut: usize,
    /// Connections that were open at the deadline, with or without a request.
    pub connections: usize,
}

impl Server {
    /// Starts to accept connections. Must be called inside a tokio runtime.
    #[must_use]
    pub fn start(listener: Listener, gateway: Arc<Gateway>, tls: Option<Arc<Tls>>) -> Self {
        let address = listener.address();
        let connections = Connections::new(Arc::clone(&gateway), tls);
        let listener = Arc::new(listener);
        let socket = Arc::downgrade(&listener);
        let accepting = tokio::spawn(accept(listener, connections.clone(), gateway.limits.connections));
        Self {
            address,
            gateway,
            connections,
            accepting,
            socket,
        }
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A copy of the listening socket, for a successor process that goes on accepting (see [`Listener::inherited`]).
    ///
    /// # Errors
    /// What the system says when it gives no descriptor.
    pub fn socket(&self) -> io::Result<OwnedFd> {
        let listener = self
            .socket
            .upgrade()
            .ok_or_else(|| io::Error::other("the server no longer accepts connections"))?;
        listener.as_fd().try_clone_to_owned()
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.connections.open()
    }

    /// Stops accepting, tells clients to go (HTTP/2 GOAWAY, HTTP/1.1 `connection: close`), lets requests in flight
    /// end until `patience` is over, then cuts what is left.
    pub async fn shutdown(mut self, patience: Duration) -> Shutdown {
        self.accepting.abort();
        // It may be accepting at this moment: what it accepts is served, and nothing counts as ended before.
        let _ = (&mut self.accepting).await;
        self.connections.drain();
        if tokio::time::timeout(patience, self.connections.ended()).await.is_ok() {
            return Shutdown { cut: 0, connections: 0 };
        }
        let report = Shutdown {
            cut: self.gateway.in_flight(),
            connections: self.connections.open(),
        };
        self.connections.cut();
        self.connections.unwound().await;
        report
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
        self.connections.cut();
    }
}

async fn accept(listener: Arc<Listener>, connections: Connections, limit: usize) {
    let places = Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS)));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => connections.spawn(stream, peer, place),
            Err(error) => {
                tracing::warn!(target: "wharf::http", error = %error, "could not accept a connection");
                // Out of file descriptors: wait until some connection has ended, rather than spin.
                if !listener::is_of_one_connection(&error) {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        }
    }
}
