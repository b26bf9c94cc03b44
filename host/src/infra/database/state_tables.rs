//! The host's tables, the same statements for every database.
//!
//! A macro and no generic function: what a generic one would have to say of an sqlx database is longer than the statements.

use std::error::Error;

use jiff::Timestamp;
use serde_json::Value;

use crate::domain::status::{Desired, State};
use crate::ports::secrets::Sealed;
use crate::ports::state::{NodeBeat, NodeReport, StateError};

pub(super) type DesiredRow = (String, Option<bool>, Option<String>, Option<String>);
pub(super) type ReportRow = (String, String, String, String, i64, String, String);
pub(super) type NodeRow = (String, i64, String, String, String);

/// Module, name, id of the key, sealed bytes, time.
pub(super) type SealedRow = (String, String, String, Vec<u8>, String);

/// Gives `$store`, which has an sqlx pool in its field `pool`, the ports that are tables. `raise` is the statement that
/// raises the epoch named `$1` and returns it.
macro_rules! state_tables {
    ($store:ty, raise = $raise:literal) => {
        const _: () = {
            use std::collections::BTreeMap;

            use $crate::domain::status::Desired;
            use $crate::infra::database::state_tables::*;
            use $crate::ports::secrets::{Sealed, SealedStore};
            use $crate::ports::signals::EpochStore;
            use $crate::ports::state::{NodeBeat, NodeReport, StateFuture};

            impl crate::ports::state::StateStore for $store {
                fn desired<'a>(&'a self, module: &'a str) -> StateFuture<'a, Desired> {
                    Box::pin(async move {
                        let row: Option<DesiredRow> =
                            sqlx::query_as("SELECT module, enabled, pinned_version, pinned_hash FROM desired WHERE module = $1")
                                .bind(module)
                                .fetch_optional(&self.pool)
                                .await
                                .map_err(unavailable("read what is wanted"))?;
                        Ok(row.map(|row| desired_of(row).1).unwrap_or_default())
                    })
                }

                fn all_desired(&self) -> StateFuture<'_, BTreeMap<String, Desired>> {
                    Box::pin(async move {
                        let rows: Vec<DesiredRow> = sqlx::query_as("SELECT module, enabled, pinned_version, pinned_hash FROM desired")
                            .fetch_all(&self.pool)
                            .await
                            .map_err(unavailable("read what is wanted"))?;
                        Ok(rows.into_iter().map(desired_of).collect())
                    })
                }

                fn set_desired<'a>(&'a self, module: &'a str, desired: &'a Desired) -> StateFuture<'a, ()> {
                    Box::pin(async move {
                        sqlx::query(
                            "INSERT INTO desired (module, enabled, pinned_version, pinned_hash) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (module) DO UPDATE SET enabled = $2, pinned_version = $3, pinned_hash = $4",
                        )
                        .bind(module)
                        .bind(desired.enabled)
                        .bind(desired.pinned_version.as_deref())
                        .bind(desired.pinned_hash.as_deref())
                        .execute(&self.pool)
                        .await
                        .map_err(unavailable("write what is wanted"))?;
                        Ok(())
                    })
                }

                fn report<'a>(&'a self, report: &'a NodeReport) -> StateFuture<'a, ()> {
                    Box::pin(async move {
                        sqlx::query(
                        "INSERT INTO report (module, node, state, version, generation, since, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (module, node) DO UPDATE SET state = $3, version = $4, generation = $5, since = $6, detail = $7",
                    )
                    .bind(&report.module)
                    .bind(&report.node)
                    .bind(name_of(report.state))
                    .bind(&report.version)
                    .bind(i64::try_from(report.generation).unwrap_or(i64::MAX))
                    .bind(report.since.to_string())
                    .bind(&report.detail)
                    .execute(&self.pool)
                    .await
                    .map_err(unavailable("write a report"))?;
                        Ok(())
                    })
                }

                fn forget_reports<'a>(&'a self, node: &'a str) -> StateFuture<'a, ()> {
                    Box::pin(async move {
                        let done = sqlx::query("DELETE FROM report WHERE node = $1")
                            .bind(node)
                            .execute(&self.pool)
                            .await;
                        done.map(drop).map_err(unavailable("forget reports"))
                    })
                }

                fn reports(&self) -> StateFuture<'_, Vec<NodeReport>> {
                    Box::pin(async move {
                        let rows: Vec<ReportRow> = sqlx::query_as(
                            "SELECT module, node, state, version, generation, since, detail FROM report ORDER BY module, node",
                        )
                        .fetch_all(&self.pool)
                        .await
                        .map_err(unavailable("read reports"))?;
                        rows.into_iter().map(report_of).collect()
                    })
                }

                fn beat<'a>(&'a self, beat: &'a NodeBeat) -> StateFuture<'a, ()> {
                    Box::pin(async move {
                        sqlx::query(
                            "INSERT INTO node (name, pid, version, started, at) VALUES ($1, $2, $3, $4, $5)
                 ON CONFLICT (name) DO UPDATE SET pid = $2, version = $3, started = $4, at = $5",
                        )
                        .bind(&beat.node)
                        .bind(i64::from(beat.pid))
                        .bind(&beat.version)
                        .bind(beat.started.to_string())
                        .bind(beat.at.to_string())
                        .execute(&self.pool)
                        .await
                        .map_err(unavailable("write a heartbeat"))?;
                        Ok(())
                    })
                }

                fn nodes(&self) -> StateFuture<'_, Vec<NodeBeat>> {
                    Box::pin(async move {
                        let rows: Vec<NodeRow> = sqlx::query_as("SELECT name, pid, version, started, at FROM node ORDER BY name")
                            .fetch_all(&self.pool)
                            .await
                            .map_err(unavailable("read nodes"))?;
                        rows.into_iter().map(beat_of).collect()
                    })
                }
            }

            impl EpochStore for $store {
                fn raise<'a>(&'a self, name: &'a str) -> StateFuture<'a, u64> {
                    Box::pin(async move {
                        let (epoch,): (i64,) = sqlx::query_as($raise)
                            .bind(name)
                            .fetch_one(&self.pool)
                            .await
                            .map_err(unavailable("raise an epoch"))?;
                        Ok(u64::try_from(epoch).unwrap_or(0))
                    })
                }

                fn epoch<'a>(&'a self, name: &'a str) -> StateFuture<'a, u64> {
                    Box::pin(async move {
                        let row: Option<(i64,)> = sqlx::query_as("SELECT value FROM epoch WHERE name = $1")
                            .bind(name)
                            .fetch_optional(&self.pool)
                            .await
                            .map_err(unavailable("read an epoch"))?;
                        Ok(row.map_or(0, |row| u64::try_from(row.0).unwrap_or(0)))
                    })
                }

                fn epochs(&self) -> StateFuture<'_, Vec<(String, u64)>> {
                    Box::pin(async move {
                        let rows: Vec<(String, i64)> = sqlx::query_as("SELECT name, value FROM epoch")
                            .fetch_all(&self.pool)
                            .await
                            .map_err(unavailable("read epochs"))?;
                        Ok(rows
                            .into_iter()
                            .map(|(name, epoch)| (name, u64::try_from(epoch).unwrap_or(0)))
                            .collect())
                    })
                }
            }

            impl SealedStore for $store {
                fn sealed<'a>(&'a self, module: &'a str, name: &'a str) -> StateFuture<'a, Option<Sealed>> {
                    Box::pin(async move {
                        let row: Option<SealedRow> =
                            sqlx::query_as("SELECT module, name, key_id, sealed, changed FROM secret WHERE module = $1 AND name = $2")
                                .bind(module)
                                .bind(name)
                                .fetch_optional(&self.pool)
                                .await
                                .map_err(unavailable("read a secret"))?;
                        row.map(sealed_of).transpose()
                    })
                }

                fn all_sealed(&self) -> StateFuture<'_, Vec<Sealed>> {
                    Box::pin(async move {
                        let rows: Vec<SealedRow> =
                            sqlx::query_as("SELECT module, name, key_id, sealed, changed FROM secret ORDER BY module, name")
                                .fetch_all(&self.pool)
                                .await
                                .map_err(unavailable("read secrets"))?;
                        rows.into_iter().map(sealed_of).collect()
                    })
                }

                fn put_sealed<'a>(&'a self, sealed: &'a Sealed) -> StateFuture<'a, ()> {
                    Box::pin(async move {
                        sqlx::query(
                            "INSERT INTO secret (module, name, key_id, sealed, changed) VALUES ($1, $2, $3, $4, $5)
                             ON CONFLICT (module, name) DO UPDATE SET key_id = $3, sealed = $4, changed = $5",
                        )
                        .bind(&sealed.module)
                        .bind(&sealed.name)
                        .bind(&sealed.key_id)
                        .bind(&sealed.sealed)
                        .bind(sealed.changed.to_string())
                        .execute(&self.pool)
                        .await
                        .map_err(unavailable("write a secret"))?;
                        Ok(())
                    })
                }

                fn add_sealed<'a>(&'a self, sealed: &'a Sealed) -> StateFuture<'a, bool> {
                    Box::pin(async move {
                        let done = sqlx::query(
                            "INSERT INTO secret (module, name, key_id, sealed, changed) VALUES ($1, $2, $3, $4, $5)
                             ON CONFLICT (module, name) DO NOTHING",
                        )
                        .bind(&sealed.module)
                        .bind(&sealed.name)
                        .bind(&sealed.key_id)
                        .bind(&sealed.sealed)
                        .bind(sealed.changed.to_string())
                        .execute(&self.pool)
                        .await
                        .map_err(unavailable("write a secret"))?;
                        Ok(done.rows_affected() > 0)
                    })
                }

                fn reseal<'a>(&'a self, pairs: &'a [(Sealed, Sealed)]) -> StateFuture<'a, u64> {
                    Box::pin(async move {
                        let mut replaced = 0;
                        let mut transaction = self.pool.begin().await.map_err(unavailable("begin to seal again"))?;
                        for (old, new) in pairs {
                            let done =
                                sqlx::query("UPDATE secret SET key_id = $1, sealed = $2 WHERE module = $3 AND name = $4 AND sealed = $5")
                                    .bind(&new.key_id)
                                    .bind(&new.sealed)
                                    .bind(&old.module)
                                    .bind(&old.name)
                                    .bind(&old.sealed)
                                    .execute(&mut *transaction)
                                    .await
                                    .map_err(unavailable("write a secret"))?;
                            replaced += done.rows_affected();
                        }
                        transaction
                            .commit()
                            .await
                            .map_err(unavailable("commit what was sealed again"))?;
                        Ok(replaced)
                    })
                }

                fn delete_sealed<'a>(&'a self, module: &'a str, name: &'a str) -> StateFuture<'a, bool> {
                    Box::pin(async move {
                        let done = sqlx::query("DELETE FROM secret WHERE module = $1 AND name = $2")
                            .bind(module)
                            .bind(name)
                            .execute(&self.pool)
                            .await
                            .map_err(unavailable("delete a secret"))?;
                        Ok(done.rows_affected() > 0)
                    })
                }
            }
        };
    };
}
pub(super) use state_tables;

pub(super) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StateError {
    move |source| StateError::Unavailable {
        doing,
        source: Box::<dyn Error + Send + Sync>::from(source),
    }
}

pub(super) fn desired_of((module, enabled, pinned_version, pinned_hash): DesiredRow) -> (String, Desired) {
    (
        module,
        Desired {
            enabled,
            pinned_version,
            pinned_hash,
        },
    )
}

pub(super) fn report_of((module, node, state, version, generation, since, detail): ReportRow) -> Result<NodeReport, StateError> {
    Ok(NodeReport {
        node,
        module,
        state: state_of(&state)?,
        version,
        generation: u64::try_from(generation).unwrap_or(0),
        since: time_of("report.since", &since)?,
        detail,
    })
}

pub(super) fn beat_of((node, pid, version, started, at): NodeRow) -> Result<NodeBeat, StateError> {
    let pid = u32::try_from(pid).map_err(|_| StateError::Corrupt {
        place: "node.pid",
        found: pid.to_string(),
        expected: "a process id",
    })?;
    Ok(NodeBeat {
        node,
        pid,
        version,
        started: time_of("node.started", &started)?,
        at: time_of("node.at", &at)?,
    })
}

pub(super) fn time_of(place: &'static str, text: &str) -> Result<Timestamp, StateError> {
    text.parse().map_err(|_| StateError::Corrupt {
        place,
        found: text.to_owned(),
        expected: "an RFC 3339 time",
    })
}

pub(super) fn name_of(state: State) -> String {
    match serde_json::to_value(state) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

pub(super) fn state_of(name: &str) -> Result<State, StateError> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(|_| StateError::Corrupt {
        place: "report.state",
        found: name.to_owned(),
        expected: "the name of a state",
    })
}

pub(super) fn sealed_of((module, name, key_id, sealed, changed): SealedRow) -> Result<Sealed, StateError> {
    Ok(Sealed {
        module,
        name,
        key_id,
        sealed,
        changed: time_of("secret.changed", &changed)?,
    })
}
