//! Chooses where modules keep their data.

use std::sync::Arc;

use wharf_host::config::{Config, SpaceDurability, SpaceRoles};
use wharf_host::infra::database::{Durability, Limits, PgSettings, PgSpaces, PostgresState, Roles, SqliteSpaces};
use wharf_host::ports::database::Databases;
use wharf_host::telemetry::Metrics;

/// Schemas beside the host's own tables where those are in PostgreSQL, else files. Nothing is opened before a module asks.
pub(super) fn databases(config: &Config, metrics: &Metrics) -> anyhow::Result<Arc<dyn Databases>> {
    let (spaces, url) = (&config.database.modules, config.database_url());
    if PostgresState::takes(url.reveal()) {
        let settings = PgSettings {
            url: url.reveal().to_owned(),
            replica: spaces.replica_url.as_ref().map(|url| url.reveal().to_owned()),
            prefix: spaces.prefix.clone(),
            roles: match spaces.roles {
                SpaceRoles::Auto => Roles::Auto,
                SpaceRoles::Login => Roles::Login,
                SpaceRoles::Set => Roles::Set,
                SpaceRoles::Off => Roles::Off,
            },
            limits: limits(config),
        };
        return Ok(Arc::new(PgSpaces::new(settings)?.with_metrics(metrics)));
    }
    let durability = match spaces.durability {
        SpaceDurability::Process => Durability::Process,
        SpaceDurability::Power => Durability::Power,
    };
    let files = SqliteSpaces::new(config.data_dir.join("modules"), limits(config), durability);
    Ok(Arc::new(files.with_metrics(metrics)))
}

fn limits(config: &Config) -> Limits {
    let spaces = &config.database.modules;
    let bytes = usize::try_from(spaces.max_bytes.get()).unwrap_or(usize::MAX);
    Limits {
        connections: spaces.connections,
        readers: spaces.readers,
        acquire_timeout: spaces.acquire_timeout.get(),
        statement_timeout: spaces.statement_timeout.get(),
        transaction_age: spaces.transaction_age.get(),
        idle_timeout: spaces.idle_timeout.get(),
        slow: spaces.slow_query.get(),
        max_args: bytes,
        max_rows: bytes,
        max_size: Some(spaces.max_size.get()).filter(|bytes| *bytes > 0),
        ..Limits::default()
    }
}
