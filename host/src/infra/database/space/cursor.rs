//! Cursors: a task has the connection and reads ahead a little; whoever fetches takes what it read.

use std::time::Instant;

use tokio::sync::{Mutex, mpsc};
use tokio_util::sync::CancellationToken;
use wharf_plugin_api::sql::{Rows, Statement};

use super::engine::Engine;
use super::pool::Lease;
use super::transaction::Seated;
use crate::ports::database::{DbError, DbErrorKind};

/// Rows that are sent at once.
pub(super) const BATCH_ROWS: usize = 256;

/// Batches that are read ahead.
const AHEAD: usize = 2;

/// An open cursor, seen by whoever fetches.
pub(super) struct Cursor {
    from: Mutex<Source>,
    stop: CancellationToken,
    pub(super) since: Instant,
}

/// Where a cursor has its connection from.
pub(super) enum Owner<E: Engine> {
    Pool(Box<Lease<E>>),
    Transaction(Seated<E>),
}

struct Source {
    batches: mpsc::Receiver<Result<Rows, DbError>>,
    /// What the last batch had more than was asked for.
    rest: Rows,
}

impl Cursor {
    /// Starts reading; `stop` ends it early.
    pub(super) fn start<E: Engine>(
        owner: Owner<E>,
        statement: Statement,
        stop: CancellationToken,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let (to, batches) = mpsc::channel(AHEAD);
        runtime.spawn(read(owner, statement, to, stop.clone()));
        Self {
            from: Mutex::new(Source {
                batches,
                rest: Rows::default(),
            }),
            stop,
            since: Instant::now(),
        }
    }

    /// The next rows; none at the end.
    pub(super) async fn fetch(&self, limit: usize) -> Result<Rows, DbError> {
        let mut from = self.from.lock().await;
        if from.rest.is_empty() {
            match from.batches.recv().await {
                Some(batch) => from.rest = batch?,
                None => return Ok(Rows::default()),
            }
        }
        Ok(take(&mut from.rest, limit.max(1)))
    }

    /// Ends it early.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }
}

async fn read<E: Engine>(mut owner: Owner<E>, statement: Statement, to: mpsc::Sender<Result<Rows, DbError>>, stop: CancellationToken) {
    let lease = match &mut owner {
        Owner::Pool(lease) => Ok(&mut **lease),
        Owner::Transaction(seated) => seated.lease(),
    };
    let Ok(lease) = lease else { return };
    // Given up in the middle it stays busy, and whoever had it brings it to rest.
    lease.busy = true;
    let Ok((engine, conn)) = lease.conn() else { return };
    let done = stop.run_until_cancelled(engine.stream(conn, &statement, &to)).await;
    let Some(error) = done else { return };
    lease.busy = false;
    lease.spent |= error.as_ref().is_some_and(|error| error.kind == DbErrorKind::Unavailable);
    if let Owner::Transaction(seated) = &mut owner {
        seated.after(error.as_ref());
    }
    // The connection is free before anybody hears of the end.
    drop(owner);
    if let Some(error) = error {
        drop(to.send(Err(error)).await);
    }
}

/// The first `limit` rows of it.
fn take(rows: &mut Rows, limit: usize) -> Rows {
    if rows.len() <= limit {
        return std::mem::take(rows);
    }
    let later = rows.values.split_off(limit * rows.columns.len());
    Rows {
        columns: rows.columns.clone(),
        values: std::mem::replace(&mut rows.values, later),
    }
}
