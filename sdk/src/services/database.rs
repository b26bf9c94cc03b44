//! The module's own space in the host's database, for sea-orm.
//!
//! [`Db`] and [`Tx`] implement sea-orm's `ConnectionTrait`, `TransactionTrait` and `StreamTrait`; the host executes. In
//! reading order: [`entities`](mod@entities) (which type each column has), `columns` (which column of which table each
//! column of a result is), `values` and `rows` (to sea-orm's types, exactly), `link` (the way to the host), [`Db`], [`Tx`],
//! [`RowStream`], and [`DbErrExt`].

mod entities;

mod columns;
mod json;
mod rows;
mod values;

mod link;

mod db;
mod errors;
mod stream;
mod tx;

pub use db::{ByName, Db};
pub use entities::Entities;
pub use errors::{DbErrExt, DbFailure, DbFailureKind};
pub use stream::RowStream;
pub use tx::Tx;

pub(crate) use link::Link;
