//! A space in an SQLite file: one connection that writes behind a fair queue, and several that read what was committed.

mod bind;
mod engine;
mod fault;
mod passing;
mod plan;
mod read;
mod watch;

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use self::engine::SqliteEngine;
use self::passing::Passing;
use super::executor::Executor;
use super::limits::Limits;
use crate::config::is_module_id;
use crate::infra::database::sqlite_state::make_private;
use crate::ports::database::{Databases, DbError, DbErrorKind, DbFuture, Dialect, Space, SpaceStatus};
use crate::telemetry::Metrics;

/// What a commit survives. The file stays consistent in any case but [`Durability::None`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// The death of the process at any moment, kill -9 too. A power cut may cost the last commits.
    #[default]
    Process,
    /// A power cut too: each commit waits for the disk.
    Power,
    /// Nothing is promised: for tests.
    None,
}

/// One SQLite file a module, all in one folder.
pub struct SqliteSpaces {
    folder: Folder,
    limits: Limits,
    durability: Durability,
    spaces: Mutex<HashMap<String, Arc<Executor<SqliteEngine>>>>,
    metrics: Option<Metrics>,
}

/// Where the files are.
enum Folder {
    Kept(PathBuf),
    /// Made when it is first needed, and removed when neither this nor a space in it is there any more.
    Passing(Mutex<Option<Arc<Passing>>>),
}

impl SqliteSpaces {
    /// Files `<id>.sqlite` of mode 0600 in `folder`, which is made with mode 0700 when it is first needed.
    #[must_use]
    pub fn new(folder: PathBuf, limits: Limits, durability: Durability) -> Self {
        Self {
            folder: Folder::Kept(folder),
            limits,
            durability,
            spaces: Mutex::default(),
            metrics: None,
        }
    }

    /// Spaces that end with this value. They are files in a private folder of the system's place for passing ones, never synced:
    /// SQLite's own form in memory has no readers beside a writer, and what passes here shall pass on files.
    #[must_use]
    pub fn in_memory() -> Self {
        Self {
            folder: Folder::Passing(Mutex::default()),
            limits: Limits::default(),
            durability: Durability::None,
            spaces: Mutex::default(),
            metrics: None,
        }
    }

    /// Shows its numbers there.
    #[must_use]
    pub fn with_metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    fn file_of(&self, module: &str) -> Result<(PathBuf, Option<Arc<Passing>>), DbError> {
        if !is_module_id(module) {
            return Err(DbError::new(
                DbErrorKind::Refused,
                format!("found module id {module:?}, expected a-z, 0-9 and -, a letter first, at most 40"),
            ));
        }
        let (folder, passing) = self.folder.path().map_err(|error| unusable("the folder of the spaces", &error))?;
        let file = folder.join(format!("{module}.sqlite"));
        make_private(&file).map_err(|error| unusable(&file.display().to_string(), &error))?;
        Ok((file, passing))
    }
}

impl Databases for SqliteSpaces {
    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn known(&self) -> DbFuture<'_, Vec<String>> {
        let listed = self.folder.modules();
        Box::pin(async move { listed.map_err(|error| unusable("the folder of the spaces", &error)) })
    }

    fn space<'a>(&'a self, module: &'a str) -> DbFuture<'a, Arc<dyn Space>> {
        Box::pin(async move {
            let mut spaces = self.spaces.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(space) = spaces.get(module) {
                return Ok(Arc::clone(space) as Arc<dyn Space>);
            }
            let (file, passing) = self.file_of(module)?;
            let engine = SqliteEngine {
                file,
                _folder: passing,
                durability: self.durability,
                limits: self.limits,
                connecting: tokio::sync::Mutex::new(()),
            };
            let space = Arc::new(Executor::new(engine, module, self.limits, self.metrics.as_ref()));
            spaces.insert(module.to_owned(), Arc::clone(&space));
            Ok(space as Arc<dyn Space>)
        })
    }

    fn status(&self) -> DbFuture<'_, Vec<SpaceStatus>> {
        Box::pin(async move {
            let spaces: Vec<_> = self
                .spaces
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .values()
                .cloned()
                .collect();
            let mut all = Vec::new();
            for space in spaces {
                all.push(space.status().await);
            }
            all.sort_by(|a, b| a.module.cmp(&b.module));
            Ok(all)
        })
    }
}

impl std::fmt::Debug for SqliteSpaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SqliteSpaces")
    }
}

impl Folder {
    /// Modules that have a file.
    fn modules(&self) -> io::Result<Vec<String>> {
        let folder = match self {
            Self::Kept(path) => path.clone(),
            Self::Passing(made) => match &*made.lock().unwrap_or_else(PoisonError::into_inner) {
                Some(passing) => passing.path().to_path_buf(),
                None => return Ok(Vec::new()),
            },
        };
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut modules = Vec::new();
        for entry in entries {
            let name = entry?.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(".sqlite"));
            modules.extend(id.filter(|id| is_module_id(id)).map(str::to_owned));
        }
        modules.sort_unstable();
        Ok(modules)
    }

    fn path(&self) -> io::Result<(PathBuf, Option<Arc<Passing>>)> {
        match self {
            Self::Kept(path) => Ok((path.clone(), None)),
            Self::Passing(made) => {
                let mut made = made.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(passing) = &*made {
                    return Ok((passing.path().to_path_buf(), Some(Arc::clone(passing))));
                }
                let passing = Arc::new(Passing::make()?);
                *made = Some(Arc::clone(&passing));
                Ok((passing.path().to_path_buf(), Some(passing)))
            }
        }
    }
}

fn unusable(what: &str, error: &io::Error) -> DbError {
    DbError::new(DbErrorKind::Unavailable, format!("{what} cannot be used: {error}"))
}

#[cfg(test)]
mod tests;
