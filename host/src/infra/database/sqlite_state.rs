//! The state store in an SQLite file.
//!
//! WAL with `synchronous = NORMAL`: what was committed survives the death of the process at any moment (kill -9 too); a
//! power cut may lose the last commits, never the consistency of the file.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::migrations::{self, Migration};
use crate::domain::status::{Desired, State};
use crate::ports::state::{NodeBeat, NodeReport, StateError, StateFuture, StateStore};

/// The state in an SQLite file of mode 0600.
#[derive(Debug)]
pub struct SqliteState {
    pool: SqlitePool,
}

type DesiredRow = (String, Option<bool>, Option<String>, Option<String>);
type ReportRow = (String, String, String, String, i64, String, String);
type NodeRow = (String, i64, String, String, String);

impl SqliteState {
    /// Opens `sqlite://PATH`, made if it is missing, and migrates it.
    ///
    /// # Errors
    /// [`StateError`] when the URL has another scheme, the file cannot be opened, or its schema is newer than this build.
    pub async fn open_url(url: &str) -> Result<Self, StateError> {
        Self::open(file_of(url)?).await
    }

    /// Opens a file, made if it is missing, and migrates it.
    ///
    /// # Errors
    /// [`StateError`] when the file cannot be opened, or its schema is newer than this build.
    pub async fn open(file: &Path) -> Result<Self, StateError> {
        Self::open_with(file, migrations::ALL).await
    }

    async fn open_with(file: &Path, known: &[Migration]) -> Result<Self, StateError> {
        make_private(file).map_err(|source| StateError::Unavailable {
            doing: "make the file private",
            source: source.into(),
        })?;
        let options = SqliteConnectOptions::new()
            .filename(file)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(5))
            .foreign_keys(true);
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .connect_with(options)
            .await
            .map_err(unavailable("open the file"))?;
        migrations::run(&pool, known).await?;
        Ok(Self { pool })
    }

    /// Opens `sqlite://PATH` only to look: nothing is made or migrated. `None` when there is no such file.
    ///
    /// # Errors
    /// [`StateError`] when the URL has another scheme, the file cannot be opened, or its schema is newer or older than this build's.
    pub async fn look_at(url: &str) -> Result<Option<Self>, StateError> {
        let file = file_of(url)?;
        if !file.exists() {
            return Ok(None);
        }
        let options = SqliteConnectOptions::new()
            .filename(file)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(1)
            .connect_with(options)
            .await
            .map_err(unavailable("open the file"))?;
        migrations::check(&pool, migrations::ALL).await?;
        Ok(Some(Self { pool }))
    }

    /// Ends all connections; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

impl StateStore for SqliteState {
    fn desired<'a>(&'a self, module: &'a str) -> StateFuture<'a, Desired> {
        Box::pin(async move {
            let row: Option<DesiredRow> =
                sqlx::query_as("SELECT module, enabled, pinned_version, pinned_hash FROM desired WHERE module = ?")
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
                "INSERT INTO desired (module, enabled, pinned_version, pinned_hash) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (module) DO UPDATE SET enabled = ?2, pinned_version = ?3, pinned_hash = ?4",
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
                "INSERT INTO report (module, node, state, version, generation, since, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (module, node) DO UPDATE SET state = ?3, version = ?4, generation = ?5, since = ?6, detail = ?7",
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
            let done = sqlx::query("DELETE FROM report WHERE node = ?")
                .bind(node)
                .execute(&self.pool)
                .await;
            done.map(drop).map_err(unavailable("forget reports"))
        })
    }

    fn reports(&self) -> StateFuture<'_, Vec<NodeReport>> {
        Box::pin(async move {
            let rows: Vec<ReportRow> =
                sqlx::query_as("SELECT module, node, state, version, generation, since, detail FROM report ORDER BY module, node")
                    .fetch_all(&self.pool)
                    .await
                    .map_err(unavailable("read reports"))?;
            rows.into_iter().map(report_of).collect()
        })
    }

    fn beat<'a>(&'a self, beat: &'a NodeBeat) -> StateFuture<'a, ()> {
        Box::pin(async move {
            sqlx::query(
                "INSERT INTO node (name, pid, version, started, at) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (name) DO UPDATE SET pid = ?2, version = ?3, started = ?4, at = ?5",
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

/// The path in `sqlite://PATH`. Of another URL only the scheme is repeated, since the rest may hold a password.
fn file_of(url: &str) -> Result<&Path, StateError> {
    let scheme = || url.split("://").next().unwrap_or_default().chars().take(20).collect();
    let path = url.strip_prefix("sqlite://").filter(|path| !path.is_empty());
    path.map(Path::new).ok_or_else(|| StateError::UnknownDatabase { found: scheme() })
}

pub(super) fn unavailable(doing: &'static str) -> impl Fn(sqlx::Error) -> StateError {
    move |source| StateError::Unavailable {
        doing,
        source: Box::<dyn Error + Send + Sync>::from(source),
    }
}

/// Makes the folder with mode 0700 and the file with mode 0600 before SQLite sees them; SQLite gives its side files the mode of the file.
pub(super) fn make_private(file: &Path) -> std::io::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    }
    let file = OpenOptions::new().create(true).append(true).mode(0o600).open(file)?;
    if file.metadata()?.permissions().mode() & 0o077 != 0 {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    Ok(())
}

fn desired_of((module, enabled, pinned_version, pinned_hash): DesiredRow) -> (String, Desired) {
    (
        module,
        Desired {
            enabled,
            pinned_version,
            pinned_hash,
        },
    )
}

fn report_of((module, node, state, version, generation, since, detail): ReportRow) -> Result<NodeReport, StateError> {
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

fn beat_of((node, pid, version, started, at): NodeRow) -> Result<NodeBeat, StateError> {
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

fn time_of(place: &'static str, text: &str) -> Result<Timestamp, StateError> {
    text.parse().map_err(|_| StateError::Corrupt {
        place,
        found: text.to_owned(),
        expected: "an RFC 3339 time",
    })
}

fn name_of(state: State) -> String {
    match serde_json::to_value(state) {
        Ok(Value::String(name)) => name,
        _ => String::new(),
    }
}

fn state_of(name: &str) -> Result<State, StateError> {
    serde_json::from_value(Value::String(name.to_owned())).map_err(|_| StateError::Corrupt {
        place: "report.state",
        found: name.to_owned(),
        expected: "the name of a state",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::ports::state::contract;

    #[tokio::test]
    async fn sqlite_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteState::open_url(&format!("sqlite://{}/a/host.sqlite", folder.path().display()))
            .await
            .unwrap();
        contract::check(&store).await;
    }

    #[tokio::test]
    async fn a_committed_decision_survives_a_process_that_is_killed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let store = SqliteState::open(&file).await.unwrap();
        store
            .set_desired(
                "blog",
                &Desired {
                    enabled: Some(true),
                    ..Desired::default()
                },
            )
            .await
            .unwrap();
        // What a killed process leaves behind is the files as they are now, without any goodbye to them.
        let after = tempfile::tempdir().unwrap();
        for name in ["host.sqlite", "host.sqlite-wal"] {
            std::fs::copy(folder.path().join(name), after.path().join(name)).unwrap();
        }
        let reopened = SqliteState::open(&after.path().join("host.sqlite")).await.unwrap();
        assert_eq!(reopened.desired("blog").await.unwrap().enabled, Some(true));
    }

    #[tokio::test]
    async fn files_are_private_even_if_they_were_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("new").join("host.sqlite");
        let store = SqliteState::open(&file).await.unwrap();
        store.forget_reports("n").await.unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(file.parent().unwrap()), 0o700);
        for name in ["host.sqlite", "host.sqlite-wal", "host.sqlite-shm"] {
            assert_eq!(mode(&file.with_file_name(name)), 0o600, "{name}");
        }
        store.close().await;
        std::fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
        drop(SqliteState::open(&file).await.unwrap());
        assert_eq!(mode(&file), 0o600);
    }

    #[tokio::test]
    async fn a_newer_schema_and_an_edited_migration_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let next = Migration {
            version: 2,
            name: "next",
            sql: "CREATE TABLE next (a TEXT)",
        };
        let known: Vec<Migration> = migrations::ALL.iter().copied().chain([next]).collect();
        SqliteState::open_with(&file, &known).await.unwrap().close().await;
        let error = SqliteState::open(&file).await.unwrap_err();
        assert!(matches!(error, StateError::SchemaTooNew { found: 2, known: 1 }), "{error}");

        let edited: Vec<Migration> = migrations::ALL
            .iter()
            .copied()
            .chain([Migration { sql: "SELECT 1", ..next }])
            .collect();
        let error = SqliteState::open_with(&file, &edited).await.unwrap_err();
        assert!(matches!(error, StateError::MigrationEdited { version: 2, .. }), "{error}");
    }

    #[tokio::test]
    async fn looking_changes_nothing_and_sees_what_a_host_wrote() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let url = format!("sqlite://{}", file.display());
        assert!(SqliteState::look_at(&url).await.unwrap().is_none());
        assert!(!file.exists());
        let store = SqliteState::open(&file).await.unwrap();
        store
            .set_desired(
                "blog",
                &Desired {
                    enabled: Some(false),
                    ..Desired::default()
                },
            )
            .await
            .unwrap();
        let looking = SqliteState::look_at(&url).await.unwrap().unwrap();
        assert_eq!(looking.desired("blog").await.unwrap().enabled, Some(false));
        assert!(looking.set_desired("blog", &Desired::default()).await.is_err());
        let empty = folder.path().join("empty");
        std::fs::write(&empty, "").unwrap();
        let error = SqliteState::look_at(&format!("sqlite://{}", empty.display())).await.unwrap_err();
        assert!(matches!(error, StateError::SchemaTooOld { found: 0, known: 1 }), "{error}");
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let bad = Migration {
            version: 2,
            name: "bad",
            sql: "CREATE TABLE half (a TEXT); NONSENSE",
        };
        let known: Vec<Migration> = migrations::ALL.iter().copied().chain([bad]).collect();
        assert!(SqliteState::open_with(&file, &known).await.is_err());
        let mended: Vec<Migration> = migrations::ALL
            .iter()
            .copied()
            .chain([Migration {
                sql: "CREATE TABLE half (a TEXT)",
                ..bad
            }])
            .collect();
        SqliteState::open_with(&file, &mended).await.unwrap();
    }

    #[tokio::test]
    async fn two_hosts_may_start_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let (one, two) = tokio::join!(SqliteState::open(&file), SqliteState::open(&file));
        one.unwrap().set_desired("a", &Desired::default()).await.unwrap();
        assert_eq!(two.unwrap().all_desired().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn another_database_is_refused_without_repeating_its_password() {
        let error = SqliteState::open_url("postgres://u:canary@h/d").await.unwrap_err().to_string();
        assert_eq!(error, "found database \"postgres\", expected sqlite://PATH");
    }
}
