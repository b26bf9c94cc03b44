//! `database`: a module's requests, run in its own space.
//!
//! Bytes are decoded here, handles are checked against their owner ([`handles`]), the port runs the rest.

mod convert;
mod describe;
pub(crate) mod handles;
mod writer;

use std::sync::Arc;

use wharf_plugin_api::abi_stable::sabi_trait::TD_Opaque;
use wharf_plugin_api::abi_stable::std_types::{RArc, RVec};
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::database::{Database, Database_TO, DatabaseInfo, DatabaseRef, DialectKind};
use wharf_plugin_api::sql::codec::{self, write_answer, write_failure, write_rows};
use wharf_plugin_api::sql::{Answer, Done, Request, Target};
use wharf_plugin_api::{Fault, FaultCode, guard, guard_drop};

use super::entered::Entered;
use super::{Inner, stopped};
use crate::failpoint;
use crate::modules::belongings::Belongings;
use crate::modules::current;
use crate::ports::database::{DbError, DbErrorKind, Dialect, On, Space, TxId};
use crate::ports::traces::SpanKind;
use crate::telemetry::ActiveSpan;
use handles::{CallHandles, Handles, Loan, Opened, Owner};

/// Rows that a module gets at once, at most.
const MOST_ROWS: u32 = 4096;

/// The space of an instance, and what it has open there.
#[derive(Clone)]
pub(crate) struct Holding {
    pub(crate) space: Arc<dyn Space>,
    pub(crate) handles: Arc<Handles>,
}

impl Inner {
    /// Finds the space of a module that imports `database`, before the module is made.
    pub(super) async fn open_database(&self) -> Result<(), Fault> {
        let module = &self.standing.who.module;
        if !self.manifest.services.contains_key("database") {
            return Ok(());
        }
        let space = self.shared.backends.databases.space(module).await.map_err(|error| {
            Fault::new(
                FaultCode::UNAVAILABLE,
                format!("the database of {module} cannot be opened: {error}; `wharf db status` says more"),
            )
        })?;
        let handles = Handles::new(space.clone(), self.standing.limits.handle_age);
        let _ = self.database.set(Holding { space, handles });
        Ok(())
    }

    /// What the instance has of its database; none when its manifest does not list it.
    pub(crate) fn holding(&self) -> Option<&Holding> {
        self.database.get()
    }

    /// Rolls back and closes everything the instance has open.
    pub(super) fn end_handles(&self, is_over: bool) {
        if let Some(holding) = self.holding() {
            holding.handles.end_all(is_over);
        }
    }

    /// The transaction behind a module's handle, for services that write in it.
    ///
    /// # Errors
    /// `NOT_FOUND` for a handle that is not this instance's, or not any more; `UNDECLARED` for a module without a database.
    pub(crate) fn resolve_tx(&self, id: u64) -> Result<TxId, Fault> {
        let holding = self.holding().ok_or_else(|| {
            Fault::new(
                FaultCode::UNDECLARED,
                "a transaction is given and the module has no database; add `database = 1` under [services] in wharf.toml",
            )
        })?;
        holding
            .handles
            .tx(id)
            .map_err(|error| Fault::new(FaultCode::NOT_FOUND, error.message))
    }

    /// The same for a service that writes by itself, without a transaction, when the handle is 0.
    ///
    /// # Errors
    /// `INVALID` when it would wait for the writer that a call further up has.
    pub(crate) fn resolve_tx_or_alone(&self, id: u64) -> Result<Option<TxId>, Fault> {
        if id == 0 {
            self.may_take_writer()?;
            return Ok(None);
        }
        self.resolve_tx(id).map(Some)
    }

    /// Lends a transaction of the host to the instance: it may use it and have savepoints in it, and not end it.
    pub(crate) fn lend_tx(&self, tx: TxId) -> Option<Loan> {
        self.holding().map(|holding| holding.handles.lend(tx))
    }

    /// What is kept for the work that a transaction was lent for.
    pub(crate) fn belongings_of(&self, loan: &Loan) -> Belongings {
        let belongings = Belongings::default();
        if let Some(holding) = self.holding() {
            belongings.get_or_make(|| holding.handles.for_loan(loan));
        }
        belongings
    }
}

#[derive(Clone)]
struct Service(Arc<Inner>);

pub(super) fn object(inner: &Arc<Inner>) -> DatabaseRef {
    Database_TO::from_ptr(RArc::new(Service(inner.clone())), TD_Opaque)
}

impl Service {
    fn start(&self, request: &[u8]) -> Result<FfiFuture<RVec<u8>>, Fault> {
        let inner = &self.0;
        if inner.standing.is_retired() {
            return Err(stopped());
        }
        let request = codec::request(request).map_err(|error| Fault::from_error(FaultCode::INVALID, &error))?;
        let holding = inner
            .holding()
            .ok_or_else(|| Fault::from_error(FaultCode::UNAVAILABLE, &not_opened()))?;
        let owner = match &request {
            Request::Begin(_) | Request::Open(..) => owner(holding),
            _ => Owner::Instance,
        };
        let has_open_above = inner.has_open_above();
        if has_open_above && let Err(refused) = inner.may_run(holding, &request) {
            return Ok(FfiFuture::ready(Ok(write_failure(&convert::failure(refused)).into())));
        }
        let span = self.span(holding, &request);
        let (runtime, inner) = (inner.shared.runtime.clone(), inner.clone());
        // A task of the module may wait for it on a thread of the module's own runtime.
        Ok(FfiFuture::new(Entered::new(runtime.clone(), async move {
            let bytes = match span.around(run(&inner, request, &owner), kind_of).await {
                Ok(bytes) => bytes,
                Err(error) if has_open_above => write_failure(&convert::failure(writer::explain(error))),
                Err(error) => write_failure(&convert::failure(error)),
            };
            Ok(bytes.into())
        })))
    }
}

impl Service {
    /// What is asked, without its arguments. Closing what is open is not worth one.
    fn span(&self, holding: &Holding, request: &Request) -> ActiveSpan {
        let mut span = match request {
            Request::Close(_) => return ActiveSpan::none(),
            _ => self.0.span(SpanKind::Client, "SQL"),
        };
        if !span.is_recorded() {
            return span;
        }
        span.set(
            "db.system.name",
            match holding.space.dialect() {
                Dialect::Sqlite => "sqlite",
                Dialect::Postgres => "postgresql",
            },
        );
        let sql = match request {
            Request::Query(_, statement) | Request::Execute(_, statement) | Request::Open(_, statement) => &statement.sql,
            Request::ExecuteRaw(_, sql) => sql,
            Request::Begin(_) => "BEGIN",
            Request::Commit(_) => "COMMIT",
            Request::Rollback(_) => "ROLLBACK",
            Request::Fetch(..) | Request::Close(_) => "FETCH",
        };
        let described = describe::describe(sql);
        span.rename(described.summary);
        span.set("db.operation.name", described.operation);
        span.set("db.query.text", described.text);
        span
    }
}

impl Database for Service {
    fn info(&self) -> DatabaseInfo {
        let dialect = self
            .0
            .holding()
            .map_or(DialectKind::SQLITE, |holding| convert::dialect(holding.space.dialect()));
        DatabaseInfo { dialect, format: 1 }
    }

    fn call(&self, request: RVec<u8>) -> FfiFuture<RVec<u8>> {
        guard(|| self.start(&request))
            .unwrap_or_else(Err)
            .unwrap_or_else(|fault| FfiFuture::ready(Err(fault)))
    }

    fn notify(&self, request: RVec<u8>) {
        guard_drop(|| {
            let Some(holding) = self.0.holding() else { return };
            match codec::request(&request) {
                Ok(Request::Rollback(tx)) if matches!(holding.handles.own_tx(tx), Ok(Some(_))) => holding.handles.let_go(tx),
                Ok(Request::Close(cursor)) if holding.handles.cursor(cursor).is_ok() => holding.handles.let_go(cursor),
                _ => {}
            }
        });
    }
}

/// Whose a handle will be that is opened now, on this thread.
fn owner(holding: &Holding) -> Owner {
    current::with(|_, call| {
        let call = call?.belongings.get_or_make::<CallHandles>(|| holding.handles.for_call())?;
        Some(Owner::Call(Arc::downgrade(&call)))
    })
    .unwrap_or(Owner::Instance)
}

/// Where a test may end the process, around a commit of a module.
async fn passing(place: &'static str, module: &str) -> Result<(), DbError> {
    let passed = failpoint::hit_for(place, module).await;
    passed.map_err(|told| DbError::new(DbErrorKind::Unavailable, told.to_string()))
}

async fn run(inner: &Inner, request: Request, owner: &Owner) -> Result<Vec<u8>, DbError> {
    let holding = inner.holding().ok_or_else(not_opened)?;
    let Holding { space, handles } = holding;
    let (runtime, module) = (&inner.shared.runtime, inner.standing.who.module.as_str());
    match request {
        Request::Query(target, statement) => {
            let rows = space.query(on(handles, target)?, &statement).await?;
            Ok(write_rows(&rows))
        }
        Request::Execute(target, statement) => done(space.execute(on(handles, target)?, &statement).await?),
        Request::ExecuteRaw(target, sql) => done(space.execute_raw(on(handles, target)?, &sql).await?),
        Request::Begin(asked) => {
            let begin = convert::begin(&asked)?;
            if let Some(outer) = asked.within {
                handles.tx(outer)?;
            }
            let tx = space.begin(begin).await?;
            let writes = asked.within.is_none() && !asked.read_only;
            opened(handles.take_in(Opened::tx(tx, asked.within).writing(writes), owner, runtime)?)
        }
        Request::Commit(id) => {
            let tx = handles.own_tx(id)?.map_or_else(|| handles.tx(id), Ok)?;
            passing("database.committing", module).await?;
            let committed = space.commit(tx).await;
            handles.forget(id);
            if committed.is_err() {
                space.abandon(tx);
            }
            committed?;
            passing("database.committed", module).await?;
            done(Done::default())
        }
        Request::Rollback(id) => {
            if let Some(tx) = handles.own_tx(id)? {
                let rolled_back = space.rollback(tx).await;
                handles.forget(id);
                rolled_back?;
            }
            done(Done::default())
        }
        Request::Open(target, statement) => {
            let on = on(handles, target)?;
            let within = match on {
                On::Tx(TxId(id)) => Some(id),
                On::Pool | On::Replica => None,
            };
            let writes = within.is_none() && space.writes(&statement.sql);
            let cursor = space.open(on, &statement).await?;
            opened(handles.take_in(Opened::cursor(cursor, within).writing(writes), owner, runtime)?)
        }
        Request::Fetch(id, limit) => {
            let rows = space.fetch(handles.cursor(id)?, limit.clamp(1, MOST_ROWS)).await?;
            if rows.is_empty() {
                handles.forget(id);
            }
            Ok(write_rows(&rows))
        }
        Request::Close(id) => {
            if handles.cursor(id).is_ok() {
                handles.let_go(id);
            }
            done(Done::default())
        }
    }
}

/// In a word: the text of an error may hold values.
fn kind_of(error: &DbError) -> &'static str {
    error.kind.name()
}

fn not_opened() -> DbError {
    DbError::new(DbErrorKind::Unavailable, "the database of this module was not opened")
}

fn on(handles: &Handles, target: Target) -> Result<On, DbError> {
    Ok(match target {
        Target::Pool => On::Pool,
        Target::Replica => On::Replica,
        Target::Tx(id) => On::Tx(handles.tx(id)?),
    })
}

fn done(done: Done) -> Result<Vec<u8>, DbError> {
    Ok(write_answer(&Answer::Done(done)))
}

fn opened(id: u64) -> Result<Vec<u8>, DbError> {
    Ok(write_answer(&Answer::Handle(id)))
}
