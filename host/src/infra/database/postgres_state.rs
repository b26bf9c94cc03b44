//! The state store in PostgreSQL: what several nodes share.
//!
//! All tables are in the schema `wharf`. A server that is killed and comes back is used again without a restart of the host;
//! what is asked meanwhile fails after a few seconds.

use std::str::FromStr;
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use super::migrations;
use super::state_tables::{state_tables, unavailable};
use crate::ports::state::StateError;

/// Connections for the host's own tables. Few: nothing on the way of a request asks here.
const CONNECTIONS: u32 = 8;
/// How long a question waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How long one statement may take on the server.
const STATEMENT: &str = "10s";

/// The state in a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresState {
    pool: PgPool,
}

impl PostgresState {
    /// Whether this adapter is the one for a URL.
    #[must_use]
    pub fn takes(url: &str) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme))
    }

    /// Connects, makes the schema `wharf` if it is missing, and migrates it.
    ///
    /// # Errors
    /// [`StateError`] when the URL is none, the server does not answer, or its schema is newer than this build.
    pub async fn open_url(url: &str) -> Result<Self, StateError> {
        let pool = pool(options(url)?, CONNECTIONS).await?;
        migrations::run_postgres(&pool).await?;
        Ok(Self { pool })
    }

    /// Connects only to look: nothing is made or migrated. `None` when no host ever used the database.
    ///
    /// # Errors
    /// [`StateError`] when the URL is none, the server does not answer, or its schema is newer or older than this build's.
    pub async fn look_at(url: &str) -> Result<Option<Self>, StateError> {
        let options = options(url)?.options([("default_transaction_read_only", "on")]);
        let pool = pool(options, 1).await?;
        Ok(migrations::check_postgres(&pool).await?.then_some(Self { pool }))
    }

    /// The pool, for the listener of signals.
    pub(crate) fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Ends all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

state_tables!(
    PostgresState,
    raise = "WITH raised AS (
                 INSERT INTO epoch (name, value) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET value = epoch.value + 1 RETURNING name, value
             ) SELECT value, pg_notify('wharf_signals', value || ' ' || name)::text FROM raised"
);

/// The URL may hold a password, so an error never repeats it.
fn options(url: &str) -> Result<PgConnectOptions, StateError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| StateError::UnknownDatabase {
        found: "postgres with something else that cannot be read".to_owned(),
    })?;
    Ok(options
        .application_name("wharf")
        .options([("search_path", "wharf"), ("statement_timeout", STATEMENT)]))
}

async fn pool(options: PgConnectOptions, connections: u32) -> Result<PgPool, StateError> {
    PgPoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE)
        .connect_with(options)
        .await
        .map_err(unavailable("connect"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[tokio::test]
    async fn a_url_that_cannot_be_read_is_refused_without_its_password() {
        assert!(PostgresState::takes("postgres://h/d") && PostgresState::takes("postgresql://h/d") && !PostgresState::takes("sqlite://a"));
        let error = PostgresState::open_url("postgres://u:canary@h:notaport/d").await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[cfg(all(test, feature = "servers"))]
mod servers {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::status::Desired;
    use crate::infra::servers::{fresh_database, postgres};
    use crate::ports::state::StateStore;
    use crate::ports::{secrets, state};

    #[tokio::test]
    async fn postgres_keeps_the_contracts() {
        let url = fresh_database("state").await;
        assert!(PostgresState::look_at(&url).await.unwrap().is_none());
        let store = PostgresState::open_url(&url).await.unwrap();
        state::contract::check(&store).await;
        secrets::contract::check(&store).await;
        let looking = PostgresState::look_at(&url).await.unwrap().unwrap();
        assert!(!looking.nodes().await.unwrap().is_empty());
        assert!(looking.set_desired("blog", &Desired::default()).await.is_err());
    }

    #[tokio::test]
    async fn two_hosts_may_start_at_once_on_one_database() {
        let url = fresh_database("twice").await;
        let (one, two) = tokio::join!(PostgresState::open_url(&url), PostgresState::open_url(&url));
        one.unwrap().set_desired("a", &Desired::default()).await.unwrap();
        assert_eq!(two.unwrap().all_desired().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_killed_and_restarted_server_is_used_again() {
        let mut server = postgres::Private::start().await;
        let store = PostgresState::open_url(&server.url()).await.unwrap();
        store.set_desired("a", &Desired::default()).await.unwrap();
        server.kill();
        // The sessions of a server whose first process was killed end a moment after it.
        let gone = async {
            while store.all_desired().await.is_ok() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), gone).await.unwrap();
        server.restart().await;
        let answered = async {
            while store.all_desired().await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), answered).await.unwrap();
        assert_eq!(store.all_desired().await.unwrap().len(), 1, "a committed decision was lost");
    }
}
