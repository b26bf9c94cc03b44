//! The way to the host: requests and answers of one instance.

use std::sync::Arc;

use sea_orm::sea_query::Values;
use sea_orm::{DbBackend, DbErr, ExecResult, JsonValue, ProxyExecResult, ProxyRow, QueryResult, Statement};
use wharf_plugin_api::abi_stable::std_types::RVec;
use wharf_plugin_api::future::FfiFuture;
use wharf_plugin_api::services::database::{DatabaseRef, DialectKind};
use wharf_plugin_api::sql::codec::{AnswerView, answer_view, write_request};
use wharf_plugin_api::sql::{BeginWith, Kind, Request, Statement as Wire, Target};
use wharf_plugin_api::{Fault, FaultCode};

use super::columns::{Plan, Plans};
use super::entities::Entities;
use super::errors::{self, While};
use super::json;
use super::rows::Shape;
use super::values::to_wire;

/// What all handles of an instance share.
pub(crate) struct Link {
    service: DatabaseRef,
    pub(crate) backend: DbBackend,
    entities: Entities,
    plans: Plans,
}

/// Where requests of one handle run, and how their rows are read.
#[derive(Clone)]
pub(crate) struct Session {
    pub(crate) link: Arc<Link>,
    pub(crate) target: Target,
    pub(crate) by_name: bool,
}

impl Link {
    pub(crate) fn new(service: DatabaseRef, entities: Entities) -> Result<Self, Fault> {
        let backend = match service.info().dialect {
            DialectKind::SQLITE => DbBackend::Sqlite,
            DialectKind::POSTGRES => DbBackend::Postgres,
            DialectKind(other) => {
                return Err(Fault::new(
                    FaultCode::UNSUPPORTED,
                    format!(
                        "the host's database is of kind {other}, this module knows 1 (SQLite) and 2 (PostgreSQL); build it with a newer SDK"
                    ),
                ));
            }
        };
        Ok(Self {
            service,
            backend,
            entities,
            plans: Plans::default(),
        })
    }

    pub(crate) fn call(&self, request: &Request) -> FfiFuture<RVec<u8>> {
        self.service.call(write_request(request).into())
    }

    pub(crate) fn notify(&self, request: &Request) {
        self.service.notify(write_request(request).into());
    }

    async fn ask(&self, request: &Request) -> Result<RVec<u8>, DbErr> {
        self.call(request).await.map_err(|fault| errors::fault(&fault))
    }

    pub(crate) async fn done(&self, request: &Request) -> Result<ExecResult, DbErr> {
        let bytes = self.ask(request).await?;
        match answer_view(&bytes).map_err(errors::codec)? {
            AnswerView::Done(done) => Ok(ProxyExecResult::new(done.last_id.cast_unsigned(), done.affected).into()),
            AnswerView::Failed(failure) => Err(errors::failed(&failure, While::Executing)),
            _ => Err(errors::unexpected("what a statement did")),
        }
    }

    pub(crate) async fn handle(&self, request: &Request, during: While) -> Result<u64, DbErr> {
        let bytes = self.ask(request).await?;
        match answer_view(&bytes).map_err(errors::codec)? {
            AnswerView::Handle(handle) => Ok(handle),
            AnswerView::Failed(failure) => Err(errors::failed(&failure, during)),
            _ => Err(errors::unexpected("a handle")),
        }
    }

    pub(crate) fn plan(&self, sql: &str) -> Result<Arc<Plan>, DbErr> {
        let plan = self.plans.plan(sql, &self.entities);
        match &plan.unknown_table {
            Some(table) => Err(errors::unknown_table(table)),
            None => Ok(plan),
        }
    }
}

impl Session {
    pub(crate) fn new(link: Arc<Link>, target: Target) -> Self {
        Self {
            link,
            target,
            by_name: false,
        }
    }

    pub(crate) async fn query(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.each(statement, self.by_name, QueryResult::from).await
    }

    /// Each row as a JSON object.
    pub(crate) async fn json(&self, statement: Statement) -> Result<Vec<JsonValue>, DbErr> {
        self.each(statement, true, json::object).await
    }

    async fn each<T>(&self, statement: Statement, by_name: bool, make: impl Fn(ProxyRow) -> T) -> Result<Vec<T>, DbErr> {
        let plan = self.link.plan(&statement.sql)?;
        let request = Request::Query(self.target, wire(statement, plan.kinds.clone())?);
        let bytes = self.link.ask(&request).await?;
        match answer_view(&bytes).map_err(errors::codec)? {
            AnswerView::Rows(mut view) => Shape::new(&view.columns, &plan, by_name).each(&mut view, make),
            AnswerView::Failed(failure) => Err(errors::failed(&failure, While::Querying)),
            _ => Err(errors::unexpected("rows")),
        }
    }

    pub(crate) async fn execute(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.link.done(&Request::Execute(self.target, wire(statement, Vec::new())?)).await
    }

    pub(crate) async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.link.done(&Request::ExecuteRaw(self.target, sql.to_owned())).await
    }

    pub(crate) async fn open(&self, statement: Statement) -> Result<(u64, Arc<Plan>), DbErr> {
        let plan = self.link.plan(&statement.sql)?;
        let request = Request::Open(self.target, wire(statement, plan.kinds.clone())?);
        Ok((self.link.handle(&request, While::Querying).await?, plan))
    }

    pub(crate) async fn begin(&self, begin: BeginWith) -> Result<u64, DbErr> {
        self.link.handle(&Request::Begin(begin), While::Executing).await
    }
}

fn wire(statement: Statement, kinds: Vec<Kind>) -> Result<Wire, DbErr> {
    let Values(values) = statement.values.unwrap_or_else(|| Values(Vec::new()));
    let mut args = Vec::with_capacity(values.len());
    for (place, value) in values.into_iter().enumerate() {
        args.push(to_wire(value).ok_or_else(|| errors::no_such_kind(place))?);
    }
    Ok(Wire {
        sql: statement.sql,
        args,
        kinds,
    })
}
