//! Signals of the system, as what they ask for.

use std::io;

use tokio::signal::unix::{Signal as UnixSignal, SignalKind, signal};

/// What was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// SIGTERM or SIGINT.
    Stop,
    /// SIGHUP.
    Reread,
}

/// Watches from its making on; none is lost between two calls.
#[derive(Debug)]
pub(super) struct Signals {
    term: UnixSignal,
    int: UnixSignal,
    hup: UnixSignal,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.term.recv() => Signal::Stop,
            _ = self.int.recv() => Signal::Stop,
            _ = self.hup.recv() => Signal::Reread,
        }
    }

    /// Ready when somebody asks to stop a second time and so wants no more waiting.
    pub(super) async fn again(&mut self) {
        while self.next().await != Signal::Stop {}
    }
}
