//! `migrations`: how the tables of a module come to be. Declared by the module, run by the host: no code of the module runs
//! while it migrates.

use abi_stable::StableAbi;
use abi_stable::std_types::{RString, RVec};

/// What a migration may do. Unknown values are refused.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct MigrationKind(pub u8);

impl MigrationKind {
    /// Adds: the previous minor version of the module runs on the result.
    pub const EXPAND: Self = Self(1);
    /// Takes away: runs only when no older version of the module is alive on any node.
    pub const CONTRACT: Self = Self(2);
}

/// One migration, in both dialects.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct DeclaredMigration {
    /// Unique in the module; order is the order of the list.
    pub name: RString,
    /// What it may do.
    pub kind: MigrationKind,
    /// Builds that do not know this migration run on its result all the same.
    pub compatible: bool,
    /// Statements for SQLite, each without a `;` that separates.
    pub sqlite: RVec<RString>,
    /// Statements for PostgreSQL.
    pub postgres: RVec<RString>,
}

/// The export.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct MigrationsExport {
    /// All of them, oldest first.
    pub migrations: RVec<DeclaredMigration>,
}
