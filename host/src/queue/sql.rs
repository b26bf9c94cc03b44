//! Statements for both databases: written once, with `$1`, `$2`... as arguments.

use std::sync::Arc;

use wharf_plugin_api::sql::{Statement, Value};

use crate::ports::database::{Begin, DbError, Dialect, On, Space, TxId};

/// A statement with `$1`... turned into what the database takes. Texts of statements contain no other `$`.
pub(crate) fn statement(dialect: Dialect, sql: &str, args: Vec<Value>) -> Statement {
    match dialect {
        Dialect::Sqlite => Statement::new(sql.replace('$', "?"), args),
        Dialect::Postgres => Statement::new(sql, args),
    }
}

/// `($1,$2),($3,$4)` for so many rows and columns.
pub(crate) fn placeholders(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let cells: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", cells.join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

/// A transaction that is rolled back when it is dropped before it was committed.
pub(crate) struct Open {
    space: Arc<dyn Space>,
    tx: TxId,
    is_open: bool,
}

impl Open {
    /// Begins one that may write.
    pub(crate) async fn begin(space: &Arc<dyn Space>) -> Result<Self, DbError> {
        let tx = space.begin(Begin::default()).await?;
        Ok(Self {
            space: space.clone(),
            tx,
            is_open: true,
        })
    }

    pub(crate) fn id(&self) -> TxId {
        self.tx
    }

    pub(crate) fn on(&self) -> On {
        On::Tx(self.tx)
    }

    pub(crate) async fn commit(mut self) -> Result<(), DbError> {
        let committed = self.space.commit(self.tx).await;
        self.is_open = false;
        committed
    }

    pub(crate) async fn rollback(mut self) {
        // One that cannot be rolled back has ended already, or goes with its connection.
        drop(self.space.rollback(self.tx).await);
        self.is_open = false;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if self.is_open {
            self.space.abandon(self.tx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_numbered_for_either_database() {
        assert_eq!(placeholders(2, 2), "($1,$2),($3,$4)");
        assert_eq!(statement(Dialect::Sqlite, "a = $1", Vec::new()).sql, "a = ?1");
        assert_eq!(statement(Dialect::Postgres, "a = $1", Vec::new()).sql, "a = $1");
    }
}
