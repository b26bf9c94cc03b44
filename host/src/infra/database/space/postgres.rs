//! Spaces in PostgreSQL: a schema and a small pool a module, and a role of its own where the operator's user may make one.

mod bind;
mod engine;
mod fault;
mod plan;
mod read;
mod roles;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor};
use tokio::sync::{Mutex, OnceCell};

use self::engine::PgEngine;
use self::roles::Role;
use super::executor::Executor as SpaceExecutor;
use super::limits::Limits;
use crate::config::is_module_id;
use crate::ports::database::{Databases, DbError, DbErrorKind, DbFuture, Dialect, Space, SpaceStatus};
use crate::telemetry::Metrics;

/// How a module is kept in its schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Roles {
    /// As [`Roles::Login`] where that works, else as [`Roles::Set`], else as [`Roles::Off`].
    #[default]
    Auto,
    /// The host logs in as the module's role: a wall.
    Login,
    /// The host logs in as itself and takes the module's role: a guard rail, since a statement could take the first one back.
    Set,
    /// No roles: a guard rail made of `search_path` alone.
    Off,
}

/// Where and how.
#[derive(Clone, Debug)]
pub struct PgSettings {
    /// `postgres://USER:PASSWORD@HOST/DATABASE`.
    pub url: String,
    /// Of a replica, for queries that ask for one.
    pub replica: Option<String>,
    /// Schemas and roles are named by this and the module's id, with `_` for `-`.
    pub prefix: String,
    /// How a module is kept in its schema.
    pub roles: Roles,
    /// Of each module.
    pub limits: Limits,
}

/// One schema a module.
pub struct PgSpaces {
    settings: PgSettings,
    primary: PgConnectOptions,
    replica: Option<PgConnectOptions>,
    spaces: Mutex<HashMap<String, Arc<OnceCell<Opened>>>>,
    metrics: Option<Metrics>,
}

type Opened = Arc<SpaceExecutor<PgEngine>>;

impl PgSpaces {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When an address or the prefix cannot be read; the message holds neither.
    pub fn new(settings: PgSettings) -> Result<Self, DbError> {
        let good = |prefix: &str| {
            prefix.len() <= 16
                && prefix.starts_with(|c: char| c.is_ascii_lowercase())
                && prefix.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        if !good(&settings.prefix) {
            let message = format!(
                "found database.modules.prefix {:?}, expected a-z, 0-9 and _, a letter first, at most 16",
                settings.prefix
            );
            return Err(DbError::new(DbErrorKind::Refused, message));
        }
        let primary = options(&settings.url, "database.url")?;
        let replica = settings
            .replica
            .as_deref()
            .map(|url| options(url, "database.modules.replica_url"))
            .transpose()?;
        Ok(Self {
            settings,
            primary,
            replica,
            spaces: Mutex::default(),
            metrics: None,
        })
    }

    /// Shows its numbers there.
    #[must_use]
    pub fn with_metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    async fn open(&self, module: &str) -> Result<Opened, DbError> {
        let name = format!("{}{}", self.settings.prefix, module.replace('-', "_"));
        let role = self.prepare(&name).await?;
        let limits = self.settings.limits;
        let session = |options: &PgConnectOptions, read_only: bool| {
            let options = options.clone().application_name(&format!("wharf:{module}"));
            let options = match &role {
                Role::Login { password } => {
                    let options = options.username(&name);
                    if password.is_empty() { options } else { options.password(password) }
                }
                Role::Set => options.options([("role", &name)]),
                Role::None(_) => options,
            };
            let options = options.options([
                ("search_path", name.clone()),
                ("TimeZone", "UTC".to_owned()),
                ("standard_conforming_strings", "on".to_owned()),
                ("statement_timeout", limits.statement_timeout.as_millis().to_string()),
                // Only if this host were gone without a word: it ends old transactions before.
                (
                    "idle_in_transaction_session_timeout",
                    (limits.transaction_age + Duration::from_secs(60)).as_millis().to_string(),
                ),
            ]);
            if read_only {
                options.options([("default_transaction_read_only", "on")])
            } else {
                options
            }
        };
        let engine = PgEngine {
            primary: session(&self.primary, false),
            reading: session(self.replica.as_ref().unwrap_or(&self.primary), true),
            has_replica: self.replica.is_some(),
            limits,
            kept_by: role.kept_by(&name),
            schema: name,
        };
        Ok(Arc::new(SpaceExecutor::new(engine, module, limits, self.metrics.as_ref())))
    }

    /// Makes the schema and the role, if they are not there.
    async fn prepare(&self, name: &str) -> Result<Role, DbError> {
        let mut conn = engine::connect(&self.primary.clone().application_name("wharf")).await?;
        // Of several hosts one makes them.
        let lock = sqlx::query("SELECT pg_advisory_lock(hashtextextended('wharf space ' || $1, 0))").bind(name);
        conn.execute(lock).await.map_err(fault::of)?;
        let role = roles::prepare(&mut conn, &self.primary, name, self.settings.roles).await?;
        if matches!(role, Role::None(_)) {
            let make = format!("CREATE SCHEMA IF NOT EXISTS \"{name}\"");
            conn.execute(sqlx::raw_sql(AssertSqlSafe(make))).await.map_err(fault::of)?;
        }
        Ok(role)
    }
}

impl Databases for PgSpaces {
    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn known(&self) -> DbFuture<'_, Vec<String>> {
        Box::pin(async move {
            let mut conn = engine::connect(&self.primary.clone().application_name("wharf")).await?;
            let prefix = &self.settings.prefix;
            let schemas = sqlx::query_scalar("SELECT nspname::text FROM pg_namespace WHERE starts_with(nspname::text, $1) ORDER BY 1");
            let schemas: Vec<String> = schemas.bind(prefix).fetch_all(&mut conn).await.map_err(fault::of)?;
            // No id has a `_`, so it was a `-`.
            let ids = schemas.iter().filter_map(|schema| schema.strip_prefix(prefix.as_str()));
            Ok(ids.map(|id| id.replace('_', "-")).filter(|id| is_module_id(id)).collect())
        })
    }

    fn space<'a>(&'a self, module: &'a str) -> DbFuture<'a, Arc<dyn Space>> {
        Box::pin(async move {
            if !is_module_id(module) {
                return Err(DbError::new(
                    DbErrorKind::Refused,
                    format!("found module id {module:?}, expected a-z, 0-9 and -, a letter first, at most 40"),
                ));
            }
            let cell = Arc::clone(self.spaces.lock().await.entry(module.to_owned()).or_default());
            let opened = cell.get_or_try_init(|| self.open(module)).await?;
            Ok(Arc::clone(opened) as Arc<dyn Space>)
        })
    }

    fn status(&self) -> DbFuture<'_, Vec<SpaceStatus>> {
        Box::pin(async move {
            let cells: Vec<_> = self.spaces.lock().await.values().cloned().collect();
            let mut all = Vec::new();
            for space in cells.iter().filter_map(|cell| cell.get()) {
                all.push(space.status().await);
            }
            all.sort_by(|a, b| a.module.cmp(&b.module));
            Ok(all)
        })
    }
}

impl std::fmt::Debug for PgSpaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PgSpaces")
    }
}

fn options(url: &str, key: &str) -> Result<PgConnectOptions, DbError> {
    let options = PgConnectOptions::from_str(url);
    let options = options.map_err(|_| {
        DbError::new(
            DbErrorKind::Refused,
            format!("{key} cannot be read, expected postgres://USER:PASSWORD@HOST/DATABASE"),
        )
    })?;
    Ok(options.disable_statement_logging())
}

#[cfg(all(test, feature = "servers"))]
mod servers;
