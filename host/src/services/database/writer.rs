//! Whether a module may wait for the one connection that writes: not below a call of its own that has it.
//!
//! A holds its writer and calls B, B calls A, and that call wants the writer of A: it would wait for a transaction that waits for
//! it, until a timeout ends both. It is refused at once instead. Only what the call tree shows is seen: a task that a module spawned
//! belongs to no call.

use wharf_plugin_api::sql::{Request, Target};
use wharf_plugin_api::{Fault, FaultCode};

use super::Holding;
use super::handles::CallHandles;
use crate::modules::current;
use crate::ports::database::{DbError, DbErrorKind, Dialect, Space};
use crate::services::Inner;

impl Inner {
    /// Whether a call of this module further up has a transaction that may write.
    pub(super) fn has_open_above(&self) -> bool {
        let module = &self.standing.who.module;
        current::with(|_, call| {
            let belongings = call.map(|call| &call.belongings).filter(|belongings| belongings.is_below());
            belongings.is_some_and(|belongings| belongings.any_above(module, CallHandles::has_writer))
        })
    }

    /// Refuses what would wait for the writer of this module on this thread, when a call further up has it.
    pub(crate) fn may_take_writer(&self) -> Result<(), Fault> {
        let refused = self
            .holding()
            .filter(|holding| has_one_writer(&*holding.space) && self.has_open_above());
        refused.map_or(Ok(()), |_| Err(Fault::new(FaultCode::INVALID, self.would_wait_for_itself())))
    }

    /// The same for a request of the module, below a call that has a transaction open.
    pub(super) fn may_run(&self, holding: &Holding, request: &Request) -> Result<(), DbError> {
        let space = &*holding.space;
        if has_one_writer(space) && wants_writer(space, request) {
            return Err(DbError::new(DbErrorKind::Refused, self.would_wait_for_itself()));
        }
        Ok(())
    }

    fn would_wait_for_itself(&self) -> String {
        let through = current::with(|_, call| call.and_then(|call| call.caller.clone())).unwrap_or_else(|| "another module".to_owned());
        format!(
            "the one writer of {} is held by a transaction of the call that this one comes from, by way of {through}: found a write, expected only reads, since it would wait for what waits for it; commit before calling other modules, or read in a transaction that is read-only",
            self.standing.who.module
        )
    }
}

/// Says of a request that waited too long for a connection that the call tree itself has one.
pub(super) fn explain(mut error: DbError) -> DbError {
    if error.kind == DbErrorKind::Busy {
        let note = "; a call further up, from which this one comes, keeps a connection of this module in a transaction meanwhile: commit before calling other modules";
        error.message.push_str(note);
    }
    error
}

/// Whether this takes the connection that writes.
fn wants_writer(space: &dyn Space, request: &Request) -> bool {
    match request {
        Request::Begin(asked) => asked.within.is_none() && !asked.read_only,
        Request::Query(Target::Pool, statement) | Request::Execute(Target::Pool, statement) | Request::Open(Target::Pool, statement) => {
            space.writes(&statement.sql)
        }
        Request::ExecuteRaw(Target::Pool, sql) => space.writes(sql),
        _ => false,
    }
}

fn has_one_writer(space: &dyn Space) -> bool {
    space.dialect() == Dialect::Sqlite
}
