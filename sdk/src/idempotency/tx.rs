//! The transaction of a handler.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use sea_orm::prelude::async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use crate::problem::Problem;
use crate::services::InTransaction;
use crate::services::database::{Link, Tx as DbTx};

/// The transaction of a request to a route with `.idempotent()`: an extractor.
///
/// The SDK commits it when the response is a success or a redirection, together with the response, and rolls it back otherwise.
/// What is done outside of it, such as a call to somebody else's API, may happen again.
pub struct Tx(DbTx);

/// Where the extractor finds it.
#[derive(Clone)]
pub(super) struct Lent {
    link: Arc<Link>,
    id: u64,
}

impl Lent {
    pub(super) fn of(link: Arc<Link>, id: u64) -> Self {
        Self { link, id }
    }
}

impl<S: Sync> FromRequestParts<S> for Tx {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let lent = parts
            .extensions
            .get::<Lent>()
            .ok_or_else(|| Problem::internal("a handler takes wharf_sdk::Tx and its route lacks `.idempotent()`"))?;
        Ok(Self(DbTx::lent(lent.link.clone(), lent.id)))
    }
}

/// Everything but to end it.
impl Deref for Tx {
    type Target = DbTx;

    fn deref(&self) -> &DbTx {
        &self.0
    }
}

impl InTransaction for Tx {
    fn handle(&self) -> u64 {
        self.0.handle()
    }
}

#[async_trait]
impl ConnectionTrait for Tx {
    fn get_database_backend(&self) -> DbBackend {
        self.0.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.0.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.0.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        self.0.query_one_raw(statement).await
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.0.query_all_raw(statement).await
    }
}

impl fmt::Debug for Tx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tx").field(&self.0.id()).finish()
    }
}
