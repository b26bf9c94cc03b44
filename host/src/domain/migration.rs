//! Which migrations of a module run, by what was declared and what was applied.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// What a migration may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MigrationKind {
    /// Adds: the previous version of the module runs on the result.
    Expand,
    /// Takes away: runs only when no older version of the module is alive on any node.
    Contract,
}

impl MigrationKind {
    /// As it is stored and shown.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expand => "expand",
            Self::Contract => "contract",
        }
    }
}

/// One migration as a build declares it, in the dialect of its database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// Unique in the module.
    pub name: String,
    /// What it may do.
    pub kind: MigrationKind,
    /// Builds that do not know it run on its result.
    pub compatible: bool,
    /// Its statements in this dialect.
    pub statements: Vec<String>,
}

/// One migration as the database remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its name.
    pub name: String,
    /// What it might do.
    pub kind: String,
    /// Checksum of what ran.
    pub checksum: String,
    /// Whether builds that do not know it run on its result.
    pub compatible: bool,
    /// Version of the module that brought it.
    pub version: String,
    /// When it ran.
    pub applied_at: String,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Todo {
    /// Places of those that run now, in order.
    pub run: Vec<usize>,
    /// Names of those that wait until no older version is alive.
    pub waiting: Vec<String>,
}

/// Why nothing may be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The list itself cannot be right.
    #[error("migration {name:?}: {why}")]
    Invalid {
        /// Which one.
        name: String,
        /// What is wrong and how to mend it.
        why: String,
    },
    /// A migration was edited after it ran.
    #[error(
        "migration {name:?} was edited after version {version} applied it: found checksum {found}, expected {expected}; give it back the statements it had and put the change into a new migration"
    )]
    Edited {
        /// Which one.
        name: String,
        /// The version that applied it.
        version: String,
        /// Checksum of what is declared now.
        found: String,
        /// Checksum of what ran.
        expected: String,
    },
    /// The database has more than this build knows.
    #[error(
        "the database has migration {name:?} of version {version}, which version {build} does not know and which is not marked compatible; run a build that knows it"
    )]
    Newer {
        /// Which one.
        name: String,
        /// The version that applied it.
        version: String,
        /// This build.
        build: String,
    },
}

impl Migration {
    /// SHA-256 of kind and statements, hex.
    #[must_use]
    pub fn checksum(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.kind.name().as_bytes());
        for statement in &self.statements {
            hash.update((statement.len() as u64).to_le_bytes());
            hash.update(statement.as_bytes());
        }
        hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

/// Decides what runs. Migrations that add never wait for ones that take away, so they must not depend on them.
///
/// # Errors
/// [`Refusal`]: then nothing runs at all.
pub fn decide(declared: &[Migration], applied: &[Applied], build: &str, older_is_alive: bool) -> Result<Todo, Refusal> {
    check(declared)?;
    if let Some(newer) = applied
        .iter()
        .find(|applied| !applied.compatible && !declared.iter().any(|migration| migration.name == applied.name))
    {
        return Err(Refusal::Newer {
            name: newer.name.clone(),
            version: newer.version.clone(),
            build: build.to_owned(),
        });
    }
    let mut todo = Todo::default();
    for (place, migration) in declared.iter().enumerate() {
        let found = migration.checksum();
        match applied.iter().find(|applied| applied.name == migration.name) {
            Some(applied) if applied.checksum == found => {}
            Some(applied) => {
                return Err(Refusal::Edited {
                    name: migration.name.clone(),
                    version: applied.version.clone(),
                    found,
                    expected: applied.checksum.clone(),
                });
            }
            None if migration.kind == MigrationKind::Contract && older_is_alive => todo.waiting.push(migration.name.clone()),
            None => todo.run.push(place),
        }
    }
    Ok(todo)
}

fn check(declared: &[Migration]) -> Result<(), Refusal> {
    for (place, migration) in declared.iter().enumerate() {
        let refuse = |why: &str| {
            Err(Refusal::Invalid {
                name: migration.name.clone(),
                why: why.to_owned(),
            })
        };
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.');
        if migration.name.is_empty() || migration.name.len() > 100 || !migration.name.chars().all(is_name) {
            return refuse("found a name that is none, expected a-z, 0-9, _, - and ., at most 100, such as 0001_posts");
        }
        if declared.iter().take(place).any(|before| before.name == migration.name) {
            return refuse("found the same name twice, expected each once; a change is a migration with a name of its own");
        }
        if migration.statements.is_empty() {
            return refuse(
                "found no statements for the database in use, expected some; `SELECT 1` is one that does nothing, where only the other database has something to do",
            );
        }
    }
    Ok(())
}

/// Where one migration is, for operators.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MigrationRow {
    /// Module it belongs to.
    pub module: String,
    /// Its name.
    pub name: String,
    /// `expand` or `contract`.
    pub kind: String,
    /// `applied`, `pending`, `waiting` (for older versions to end), `edited`, or `unknown` (of a build that is not here).
    pub state: String,
    /// Checksum of what ran, else of what would.
    pub checksum: String,
    /// Version that applied it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// When it was applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<String>,
    /// What would run; empty for one that has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<String>,
}

/// All migrations of a module: those declared, then those that only the database knows.
#[must_use]
pub fn rows(module: &str, declared: &[Migration], applied: &[Applied], older_is_alive: bool) -> Vec<MigrationRow> {
    let known = declared.iter().map(|migration| {
        let ran = applied.iter().find(|applied| applied.name == migration.name);
        let state = match ran {
            Some(ran) if ran.checksum == migration.checksum() => "applied",
            Some(_) => "edited",
            None if migration.kind == MigrationKind::Contract && older_is_alive => "waiting",
            None => "pending",
        };
        MigrationRow {
            module: module.to_owned(),
            name: migration.name.clone(),
            kind: migration.kind.name().to_owned(),
            state: state.to_owned(),
            checksum: ran.map_or_else(|| migration.checksum(), |ran| ran.checksum.clone()),
            version: ran.map(|ran| ran.version.clone()),
            applied_at: ran.map(|ran| ran.applied_at.clone()),
            statements: if ran.is_some() { Vec::new() } else { migration.statements.clone() },
        }
    });
    let unknown = applied
        .iter()
        .filter(|applied| !declared.iter().any(|migration| migration.name == applied.name))
        .map(|applied| MigrationRow {
            module: module.to_owned(),
            name: applied.name.clone(),
            kind: applied.kind.clone(),
            state: "unknown".to_owned(),
            checksum: applied.checksum.clone(),
            version: Some(applied.version.clone()),
            applied_at: Some(applied.applied_at.clone()),
            statements: Vec::new(),
        });
    known.chain(unknown).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn migration(name: &str, kind: MigrationKind, sql: &str) -> Migration {
        Migration {
            name: name.to_owned(),
            kind,
            compatible: false,
            statements: vec![sql.to_owned()],
        }
    }

    fn applied(migration: &Migration, compatible: bool) -> Applied {
        Applied {
            name: migration.name.clone(),
            kind: migration.kind.name().to_owned(),
            checksum: migration.checksum(),
            compatible,
            version: "1.0.0".to_owned(),
            applied_at: String::new(),
        }
    }

    #[test]
    fn what_is_new_runs_in_order_and_contraction_waits_for_older_versions() {
        let list = [
            migration("1", MigrationKind::Expand, "a"),
            migration("2", MigrationKind::Contract, "b"),
            migration("3", MigrationKind::Expand, "c"),
        ];
        let done = [applied(&list[0], false)];
        let alone = decide(&list, &done, "2.0.0", false).unwrap();
        assert_eq!((alone.run, alone.waiting), (vec![1, 2], vec![]));
        let beside = decide(&list, &done, "2.0.0", true).unwrap();
        assert_eq!((beside.run, beside.waiting), (vec![2], vec!["2".to_owned()]));
        let states: Vec<String> = rows("m", &list, &done, true).into_iter().map(|row| row.state).collect();
        assert_eq!(states, ["applied", "waiting", "pending"]);
    }

    #[test]
    fn an_edited_migration_is_refused_with_both_checksums() {
        let before = migration("1", MigrationKind::Expand, "a");
        let now = migration("1", MigrationKind::Expand, "b");
        let text = decide(std::slice::from_ref(&now), &[applied(&before, false)], "2.0.0", false)
            .unwrap_err()
            .to_string();
        assert!(text.contains(&before.checksum()) && text.contains(&now.checksum()), "{text}");
    }

    #[test]
    fn a_newer_schema_is_refused_unless_it_is_marked_compatible() {
        let newer = migration("2", MigrationKind::Expand, "a");
        let refused = decide(&[], &[applied(&newer, false)], "1.0.0", false).unwrap_err();
        assert!(matches!(refused, Refusal::Newer { .. }));
        assert_eq!(decide(&[], &[applied(&newer, true)], "1.0.0", false), Ok(Todo::default()));
    }

    #[test]
    fn a_list_that_cannot_be_right_is_refused() {
        let twice = [
            migration("1", MigrationKind::Expand, "a"),
            migration("1", MigrationKind::Expand, "a"),
        ];
        let mut nothing = migration("1", MigrationKind::Expand, "a");
        nothing.statements.clear();
        for list in [
            &twice[..],
            &[migration("", MigrationKind::Expand, "a")],
            &[migration("A b", MigrationKind::Expand, "a")],
            &[nothing],
        ] {
            assert!(
                matches!(decide(list, &[], "1.0.0", false), Err(Refusal::Invalid { .. })),
                "{list:?}"
            );
        }
    }

    #[test]
    fn where_one_statement_ends_is_part_of_the_checksum() {
        let one = Migration {
            statements: vec!["ab".into(), "c".into()],
            ..migration("1", MigrationKind::Expand, "")
        };
        let other = Migration {
            statements: vec!["a".into(), "bc".into()],
            ..one.clone()
        };
        assert_ne!(one.checksum(), other.checksum());
    }
}
