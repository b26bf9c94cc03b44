//! Spaces of modules: one executor of statements, transactions and cursors over two databases.
//!
//! The executor decides who may use a connection, for how long, and what happens to it when a future is dropped; an
//! [`engine::Engine`] knows one database: how to connect, what a statement is allowed to do, how values are bound and read.

mod cursor;
mod engine;
mod executor;
mod finish;
mod holdings;
mod limits;
mod moment;
mod pool;
#[cfg(feature = "postgres")]
mod postgres;
mod sight;
mod sql;
mod sqlite;
mod transaction;

pub use limits::Limits;
#[cfg(feature = "postgres")]
pub use postgres::{PgSettings, PgSpaces, Roles};
pub use sqlite::{Durability, SqliteSpaces};

use wharf_plugin_api::sql::Kind;

/// A kind, in the words of an error.
const fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::NATURAL => "whatever it is",
        Kind::BOOL => "a boolean",
        Kind::I8 => "an integer of 8 bits",
        Kind::I16 => "an integer of 16 bits",
        Kind::I32 => "an integer of 32 bits",
        Kind::I64 => "an integer of 64 bits",
        Kind::U8 => "an unsigned integer of 8 bits",
        Kind::U16 => "an unsigned integer of 16 bits",
        Kind::U32 => "an unsigned integer of 32 bits",
        Kind::U64 => "an unsigned integer of 64 bits",
        Kind::F32 => "a number of 32 bits",
        Kind::F64 => "a number of 64 bits",
        Kind::TEXT => "text",
        Kind::CHAR => "one character",
        Kind::BYTES => "bytes",
        Kind::JSON => "JSON",
        Kind::DATE => "a date",
        Kind::TIME => "a time",
        Kind::DATE_TIME => "a date and time",
        Kind::TIMESTAMP => "a point in time",
        Kind::UUID => "a UUID",
        Kind::DECIMAL => "a decimal",
        Kind::ENUM => "a value of an enum",
        _ => "a kind this host does not know",
    }
}
