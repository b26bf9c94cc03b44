//! Transactions and savepoints.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{AccessMode, DbErr, IsolationLevel, JsonValue, StatementBuilder, TransactionError, TransactionOptions, TransactionSession};
use wharf_plugin_api::sql::{BeginWith, IsolationKind, Request, Target};

use super::db::ByName;
use super::link::{Link, Session};

/// A transaction, or a savepoint in one (`tx.begin()`). Dropping it rolls it back, as does the end of the call it was opened
/// in. On SQLite one that may write waits for the one writer of the space; a read-only one does not.
#[must_use = "dropping a transaction rolls it back"]
pub struct Tx {
    pub(super) session: Session,
    id: u64,
    /// Whether it is ours to end, and not ended yet.
    open: bool,
}

impl Tx {
    pub(super) fn open(parent: &Session, id: u64) -> Self {
        let session = Session {
            target: Target::Tx(id),
            ..parent.clone()
        };
        Self { session, id, open: true }
    }

    /// One that the host lends: it may be used and have savepoints, and the host ends it.
    pub(crate) fn lent(link: Arc<Link>, id: u64) -> Self {
        let session = Session::new(link, Target::Tx(id));
        Self { session, id, open: false }
    }

    /// Its identity in the host, never used again.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Commits.
    ///
    /// # Errors
    /// What the database says; the transaction is then rolled back. With a savepoint inside still open it rolls back too.
    pub async fn commit(mut self) -> Result<(), DbErr> {
        let done = self.session.link.done(&Request::Commit(self.id)).await;
        self.open = false;
        done.map(|_| ())
    }

    /// Rolls back, with every savepoint inside.
    ///
    /// # Errors
    /// What the database says.
    pub async fn rollback(mut self) -> Result<(), DbErr> {
        let done = self.session.link.done(&Request::Rollback(self.id)).await;
        self.open = false;
        done.map(|_| ())
    }

    /// The same transaction, with rows that are read by name only: see [`Db::by_name`](super::Db::by_name).
    #[must_use]
    pub fn by_name(&self) -> ByName<'_> {
        let session = Session {
            by_name: true,
            ..self.session.clone()
        };
        ByName { session, tx: PhantomData }
    }

    /// Rows as JSON objects, with the values that serde makes of the fields.
    ///
    /// # Errors
    /// Whatever the database says.
    pub async fn json_all<S: StatementBuilder>(&self, statement: &S) -> Result<Vec<JsonValue>, DbErr> {
        let statement = self.session.link.backend.build(statement);
        self.session.json(statement).await
    }
}

#[async_trait]
impl TransactionSession for Tx {
    async fn commit(self) -> Result<(), DbErr> {
        Tx::commit(self).await
    }

    async fn rollback(self) -> Result<(), DbErr> {
        Tx::rollback(self).await
    }
}

impl Drop for Tx {
    fn drop(&mut self) {
        if self.open {
            self.session.link.notify(&Request::Rollback(self.id));
        }
    }
}

impl crate::services::InTransaction for Tx {
    fn handle(&self) -> u64 {
        self.id
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx")
            .field("id", &self.id)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

/// What sea-orm's options say, for the host.
pub(super) fn begin_with(target: Target, options: &TransactionOptions) -> BeginWith {
    BeginWith {
        within: match target {
            Target::Tx(outer) => Some(outer),
            Target::Pool | Target::Replica => None,
        },
        isolation: match options.isolation_level {
            None => IsolationKind::DEFAULT,
            Some(IsolationLevel::ReadUncommitted | IsolationLevel::ReadCommitted) => IsolationKind::READ_COMMITTED,
            Some(IsolationLevel::RepeatableRead) => IsolationKind::REPEATABLE_READ,
            Some(IsolationLevel::Serializable) => IsolationKind::SERIALIZABLE,
        },
        read_only: options.access_mode == Some(AccessMode::ReadOnly) || target == Target::Replica,
    }
}

/// Runs a closure in a transaction and ends it by what the closure says.
pub(super) async fn run<F, T, E>(tx: Tx, callback: F) -> Result<T, TransactionError<E>>
where
    F: for<'c> FnOnce(&'c Tx) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
    T: Send,
    E: fmt::Display + fmt::Debug + Send,
{
    match callback(&tx).await {
        Ok(value) => {
            tx.commit().await.map_err(TransactionError::Connection)?;
            Ok(value)
        }
        Err(error) => {
            tx.rollback().await.map_err(TransactionError::Connection)?;
            Err(TransactionError::Transaction(error))
        }
    }
}
