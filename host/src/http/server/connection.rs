//! The connections of one server: each served by a task of its own, drained and cut together.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, Sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::stream::Watched;
use super::tls::Tls;
use crate::http::gateway::{Door, Gateway};

/// How often an HTTP/2 client is asked whether it is still there, and how long it may take to answer.
const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(20));
/// Tasks of cut connections get this long to notice, in case one is stuck in module code.
const UNWINDING: Duration = Duration::from_secs(1);

/// The connections of one server.
#[derive(Clone, Debug)]
pub(super) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    gateway: Arc<Gateway>,
    tls: Option<Arc<Tls>>,
    builder: Builder<Tracked>,
    tasks: TaskTracker,
    open: AtomicUsize,
    /// Says the same as `drain`, for the price of one load.
    draining: AtomicBool,
    drain: CancellationToken,
    cut: CancellationToken,
}

/// Runs the streams of HTTP/2 connections where a shutdown can wait for them.
#[derive(Clone, Debug)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, work: F) {
        self.0.spawn(work);
    }
}

impl Connections {
    pub(super) fn new(gateway: Arc<Gateway>, tls: Option<Arc<Tls>>) -> Self {
        let tasks = TaskTracker::new();
        let builder = builder(&gateway, Tracked(tasks.clone()));
        Self(Arc::new(Shared {
            gateway,
            tls,
            builder,
            tasks,
            open: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            drain: CancellationToken::new(),
            cut: CancellationToken::new(),
        }))
    }

    pub(super) fn open(&self) -> usize {
        self.0.open.load(Ordering::Relaxed)
    }

    pub(super) fn drain(&self) {
        self.0.draining.store(true, Ordering::Relaxed);
        self.0.drain.cancel();
    }

    pub(super) fn cut(&self) {
        self.drain();
        self.0.cut.cancel();
    }

    /// Waits until all connections have ended.
    pub(super) async fn ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    /// Waits until cut connections have ended, but not for ever.
    pub(super) async fn unwound(&self) {
        if tokio::time::timeout(UNWINDING, self.ended()).await.is_err() {
            tracing::warn!(target: "wharf::http", "some tasks of cut connections have not ended");
        }
    }

    pub(super) fn spawn(&self, stream: TcpStream, peer: SocketAddr, place: OwnedSemaphorePermit) {
        let shared = Arc::clone(&self.0);
        shared.open.fetch_add(1, Ordering::Relaxed);
        self.0.tasks.spawn(async move {
            let open = Open(shared);
            let _place = place;
            open.0.run(stream, peer).await;
        });
    }
}

/// How long a connection that was accepted just before the end may take to send its first request.
const FIRST_REQUEST: Duration = Duration::from_millis(300);

/// Counts a connection as open until it is dropped.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}

pin_project! {
    /// Ends when a connection has had no call under way for a while.
    struct Idle {
        door: Arc<Door>,
        seen: u64,
        patience: Duration,
        #[pin]
        timer: Sleep,
    }
}

impl Idle {
    fn new(door: Arc<Door>, patience: Duration) -> Self {
        Self {
            door,
            seen: 0,
            patience,
            timer: tokio::time::sleep(patience),
        }
    }

    fn is_unused(self: Pin<&Self>) -> bool {
        self.project_ref().door.calls() == 0 && !self.is_due()
    }

    fn is_due(self: Pin<&Self>) -> bool {
        self.project_ref().timer.is_elapsed()
    }
}

impl Future for Idle {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        while this.timer.as_mut().poll(cx).is_ready() {
            // Besides calls under way, this future and the connection's service hold the door.
            let quiet = Arc::strong_count(this.door) <= 2 && this.door.calls() == *this.seen;
            if quiet {
                return Poll::Ready(());
            }
            *this.seen = this.door.calls();
            this.timer.as_mut().reset(Instant::now() + *this.patience);
        }
        Poll::Pending
    }
}

impl Shared {
    async fn run(&self, stream: TcpStream, peer: SocketAddr) {
        // Small answers must not wait for more; failing to say so is no reason to refuse the client.
        let _ = stream.set_nodelay(true);
        let limits = &self.gateway.limits;
        let Some(tls) = &self.tls else {
            return self.serve(stream, peer).await;
        };
        let handshake = tokio::time::timeout(limits.handshake_timeout, tls.acceptor().accept(stream));
        tokio::select! {
            () = self.drain.cancelled() => {}
            accepted = handshake => match accepted {
                Ok(Ok(stream)) => self.serve(stream, peer).await,
                Ok(Err(error)) => tracing::debug!(target: "wharf::http", peer = %peer, error = %error, "TLS handshake failed"),
                Err(_) => tracing::debug!(target: "wharf::http", peer = %peer, "TLS handshake took too long"),
            },
        }
    }

    async fn serve<S>(&self, stream: S, peer: SocketAddr)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = &self.gateway.limits;
        let io = TokioIo::new(Watched::new(stream, limits.header_timeout, limits.write_timeout));
        let door = Arc::new(Door::new(Arc::clone(&self.gateway)));
        let entrance = Arc::clone(&door);
        let service = service_fn(move |request| {
            let answer = Arc::clone(&entrance).handle(request, Some(peer));
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let mut connection = pin!(self.builder.serve_connection(io, service));
        let mut drain = pin!(self.drain.cancelled());
        let mut idle = pin!(Idle::new(door, limits.idle_timeout));
        let mut registered = false;
        // Drain and idleness are registered with this task's waker once; after that a wake-up costs two loads to look.
        let ended = poll_fn(|cx| {
            if !registered {
                registered = true;
                if drain.as_mut().poll(cx).is_ready() || idle.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(None);
                }
            }
            match connection.as_mut().poll(cx) {
                Poll::Ready(end) => Poll::Ready(Some(end)),
                Poll::Pending if self.draining.load(Ordering::Relaxed) => Poll::Ready(None),
                Poll::Pending if idle.as_ref().is_due() => idle.as_mut().poll(cx).map(|()| None),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
        let ended = match ended {
            Some(end) => Some(end),
            None => {
                if idle.as_ref().is_unused() {
                    // Its first request may be on its way: to close now would reset a client that did nothing wrong.
                    tokio::select! {
                        _ = connection.as_mut() => return,
                        () = tokio::time::sleep(FIRST_REQUEST) => {}
                        () = self.cut.cancelled() => return,
                    }
                }
                connection.as_mut().graceful_shutdown();
                tokio::select! {
                    end = connection => Some(end),
                    () = self.cut.cancelled() => None,
                }
            }
        };
        if let Some(Err(error)) = ended {
            tracing::debug!(target: "wharf::http", peer = %peer, error = %error, "connection ended with an error");
        }
    }
}

fn builder(gateway: &Gateway, executor: Tracked) -> Builder<Tracked> {
    let limits = &gateway.limits;
    let header_bytes = limits.header_bytes.max(8192);
    let mut builder = Builder::new(executor);
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(header_bytes)
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
        .keep_alive_interval(PING.0)
        .keep_alive_timeout(PING.1);
    builder
}
