//! The module's database.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{
    AccessMode, ConnectionTrait, DbBackend, DbErr, ExecResult, IsolationLevel, JsonValue, QueryResult, Statement, StatementBuilder,
    StreamTrait, TransactionError, TransactionOptions, TransactionTrait,
};
use wharf_plugin_api::sql::Target;

use super::link::{Link, Session};
use super::stream::RowStream;
use super::tx::{Tx, begin_with, run};

/// The module's own space in the host's database; clones are cheap. Give it to sea-orm wherever it wants a connection:
/// `Post::find().all(&db)`.
#[derive(Clone)]
pub struct Db {
    session: Session,
}

/// A transaction whose rows are read by name only, made by [`Tx::by_name`].
pub struct ByName<'t> {
    pub(super) session: Session,
    pub(super) tx: std::marker::PhantomData<&'t Tx>,
}

impl Db {
    pub(crate) fn new(link: Arc<Link>) -> Self {
        Self {
            session: Session::new(link, Target::Pool),
        }
    }

    /// The same, for reads that may be a little behind: they run on a read replica where the operator has one, else as usual.
    /// Writes through it are refused. A transaction of it is read-only and runs on the primary.
    #[must_use]
    pub fn replica(&self) -> Self {
        let mut replica = self.clone();
        replica.session.target = Target::Replica;
        replica
    }

    /// The same, with rows that are read by name only: faster for many rows, and what `into_json()` needs to show no keys of
    /// ours. Reading by index (`into_tuple`) is then in the order of the names.
    #[must_use]
    pub fn by_name(&self) -> Self {
        let mut by_name = self.clone();
        by_name.session.by_name = true;
        by_name
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

/// What every connection of ours does with its session.
macro_rules! connection {
    ($type:ty) => {
        #[async_trait]
        impl ConnectionTrait for $type {
            fn get_database_backend(&self) -> DbBackend {
                self.session.link.backend
            }

            async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
                self.session.execute(statement).await
            }

            async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
                self.session.execute_unprepared(sql).await
            }

            async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
                Ok(self.session.query(statement).await?.into_iter().next())
            }

            async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
                self.session.query(statement).await
            }
        }

        impl StreamTrait for $type {
            type Stream<'a>
                = RowStream
            where
                Self: 'a;

            fn get_database_backend(&self) -> DbBackend {
                self.session.link.backend
            }

            fn stream_raw<'a>(&'a self, statement: Statement) -> Pin<Box<dyn Future<Output = Result<RowStream, DbErr>> + 'a + Send>> {
                Box::pin(RowStream::open(&self.session, statement))
            }
        }
    };
}

connection!(Db);
connection!(Tx);
connection!(ByName<'_>);

/// `transaction` and its like, on top of one `begin`.
macro_rules! transactions {
    ($type:ty) => {
        #[async_trait]
        impl TransactionTrait for $type {
            type Transaction = Tx;

            async fn begin(&self) -> Result<Tx, DbErr> {
                self.begin_with_options(TransactionOptions::default()).await
            }

            async fn begin_with_config(&self, isolation: Option<IsolationLevel>, access: Option<AccessMode>) -> Result<Tx, DbErr> {
                let options = TransactionOptions {
                    isolation_level: isolation,
                    access_mode: access,
                    sqlite_transaction_mode: None,
                };
                self.begin_with_options(options).await
            }

            async fn begin_with_options(&self, options: TransactionOptions) -> Result<Tx, DbErr> {
                let tx = self.session.begin(begin_with(self.session.target, &options)).await?;
                Ok(Tx::open(&self.session, tx))
            }

            async fn transaction<F, T, E>(&self, callback: F) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Tx) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                let tx = self.begin().await.map_err(TransactionError::Connection)?;
                run(tx, callback).await
            }

            async fn transaction_with_config<F, T, E>(
                &self,
                callback: F,
                isolation: Option<IsolationLevel>,
                access: Option<AccessMode>,
            ) -> Result<T, TransactionError<E>>
            where
                F: for<'c> FnOnce(&'c Tx) -> Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'c>> + Send,
                T: Send,
                E: fmt::Display + fmt::Debug + Send,
            {
                let tx = self
                    .begin_with_config(isolation, access)
                    .await
                    .map_err(TransactionError::Connection)?;
                run(tx, callback).await
            }
        }
    };
}

transactions!(Db);
transactions!(Tx);

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Db")
            .field("backend", &self.session.link.backend)
            .field("target", &self.session.target)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for ByName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ByName").field(&self.session.target).finish()
    }
}
