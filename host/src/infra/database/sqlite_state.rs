//! The state store in an SQLite file.
//!
//! WAL with `synchronous = NORMAL`: what was committed survives the death of the process at any moment (kill -9 too); a
//! power cut may lose the last commits, never the consistency of the file.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::migrations::{self, Migration};
use super::state_tables::{state_tables, unavailable};
use crate::ports::state::StateError;

/// The state in an SQLite file of mode 0600.
#[derive(Debug)]
pub struct SqliteState {
    pool: SqlitePool,
}

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
        Self::open_with(file, migrations::SQLITE).await
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
        migrations::check(&pool, migrations::SQLITE).await?;
        Ok(Some(Self { pool }))
    }

    /// Ends all connections; the write-ahead log is folded into the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

state_tables!(
    SqliteState,
    raise = "INSERT INTO epoch (name, value) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET value = epoch.value + 1 RETURNING value"
);

/// The path in `sqlite://PATH`. Of another URL only the scheme is repeated, since the rest may hold a password.
fn file_of(url: &str) -> Result<&Path, StateError> {
    let scheme = || url.split("://").next().unwrap_or_default().chars().take(20).collect();
    let path = url.strip_prefix("sqlite://").filter(|path| !path.is_empty());
    path.map(Path::new).ok_or_else(|| StateError::UnknownDatabase { found: scheme() })
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::status::Desired;
    use crate::ports::state::StateStore;
    use crate::ports::{secrets, state};

    /// The version after the newest.
    const NEXT: i64 = migrations::SQLITE.len() as i64 + 1;

    #[tokio::test]
    async fn sqlite_keeps_the_contracts() {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteState::open_url(&format!("sqlite://{}/a/host.sqlite", folder.path().display()))
            .await
            .unwrap();
        state::contract::check(&store).await;
        secrets::contract::check(&store).await;
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
            version: NEXT,
            name: "next",
            sql: "CREATE TABLE next (a TEXT)",
        };
        let known: Vec<Migration> = migrations::SQLITE.iter().copied().chain([next]).collect();
        SqliteState::open_with(&file, &known).await.unwrap().close().await;
        let error = SqliteState::open(&file).await.unwrap_err();
        assert!(
            matches!(error, StateError::SchemaTooNew { found: NEXT, known } if known == NEXT - 1),
            "{error}"
        );

        let edited: Vec<Migration> = migrations::SQLITE
            .iter()
            .copied()
            .chain([Migration { sql: "SELECT 1", ..next }])
            .collect();
        let error = SqliteState::open_with(&file, &edited).await.unwrap_err();
        assert!(matches!(error, StateError::MigrationEdited { version: NEXT, .. }), "{error}");
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
        assert!(
            matches!(error, StateError::SchemaTooOld { found: 0, known } if known == NEXT - 1),
            "{error}"
        );
    }

    #[tokio::test]
    async fn a_migration_that_fails_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.sqlite");
        let bad = Migration {
            version: NEXT,
            name: "bad",
            sql: "CREATE TABLE half (a TEXT); NONSENSE",
        };
        let known: Vec<Migration> = migrations::SQLITE.iter().copied().chain([bad]).collect();
        assert!(SqliteState::open_with(&file, &known).await.is_err());
        let mended: Vec<Migration> = migrations::SQLITE
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
        let error = SqliteState::open_url("mysql://u:canary@h/d").await.unwrap_err().to_string();
        assert_eq!(
            error,
            "found database \"mysql\", expected sqlite://PATH or postgres://USER@HOST/DATABASE"
        );
    }
}
