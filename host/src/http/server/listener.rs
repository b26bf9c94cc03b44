//! Listening sockets: bound here, or inherited from whoever started the process.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// Connections that may wait to be accepted.
const BACKLOG: u32 = 1024;

/// A TCP socket that listens.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
}

/// A socket that was handed to this process, with its name from `LISTEN_FDNAMES` (`unknown` where it has none).
#[derive(Debug)]
#[non_exhaustive]
pub struct Inherited {
    /// `FileDescriptorName=` of the systemd socket unit.
    pub name: String,
    /// The socket.
    pub listener: Listener,
}

/// Why there is no socket to listen on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// The address cannot be had.
    #[error("could not listen on {address}: {source}; is another process using it?")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// An inherited descriptor is not a TCP socket that listens.
    #[error("inherited descriptor {fd} ({name}) is not a listening TCP socket: {source}; check LISTEN_FDS")]
    Inherited {
        /// Its number.
        fd: usize,
        /// Its name.
        name: String,
        /// Why.
        source: io::Error,
    },
}

impl Listener {
    /// Listens on an address; port 0 takes a free one. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`ListenError::Bind`].
    pub fn bind(address: SocketAddr) -> Result<Self, ListenError> {
        let listen = || {
            let socket = if address.is_ipv4() {
                TcpSocket::new_v4()?
            } else {
                TcpSocket::new_v6()?
            };
            // A restart must not wait for old connections to time out.
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            Self::of(socket.listen(BACKLOG)?)
        };
        listen().map_err(|source| ListenError::Bind { address, source })
    }

    /// Takes sockets that systemd or an older process of this host handed over (`LISTEN_FDS`, `LISTEN_PID`,
    /// `LISTEN_FDNAMES`; see `sd_listen_fds(3)`). Empty when there are none or they are meant for another process.
    /// Call it once, early, inside a tokio runtime and before other threads read the environment: it takes the
    /// variables out of it, so that children do not believe that the sockets are for them.
    ///
    /// # Errors
    /// [`ListenError::Inherited`] for a descriptor that is not a listening TCP socket.
    pub fn inherited() -> Result<Vec<Inherited>, ListenError> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut handed = ListenFd::from_env();
        let mut sockets = Vec::with_capacity(handed.len());
        for place in 0..handed.len() {
            let name = names.next().filter(|name| !name.is_empty()).unwrap_or("unknown").to_owned();
            let taken = handed.take_tcp_listener(place).and_then(|socket| match socket {
                None => Ok(None),
                Some(socket) => Self::from_std(socket).map(Some),
            });
            match taken {
                Ok(Some(listener)) => sockets.push(Inherited { name, listener }),
                Ok(None) => {}
                Err(source) => {
                    return Err(ListenError::Inherited {
                        fd: place + 3,
                        name,
                        source,
                    });
                }
            }
        }
        Ok(sockets)
    }

    /// Takes a socket of the standard library. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// What the system says about the socket.
    pub fn from_std(socket: std::net::TcpListener) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::of(TcpListener::from_std(socket)?)
    }

    /// The address it listens on, with the real port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.socket.accept().await
    }

    fn of(socket: TcpListener) -> io::Result<Self> {
        Ok(Self {
            address: socket.local_addr()?,
            socket,
        })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether an error of `accept` is about one client rather than about this process.
pub(super) fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
