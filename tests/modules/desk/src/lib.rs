//! A module for tests: documents with owners. It looks at who calls and what they may, and records what was done.

mod tables;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use sea_orm::{ActiveValue::Set, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, TransactionTrait};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::{Notify, oneshot};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::audit::Audit;
use wharf_sdk::services::authz::{Authz, named};
use wharf_sdk::services::database::{Db, Entities};
use wharf_sdk::services::events::Events;
use wharf_sdk::{
    Call, Context, Error, Event, EventContext, Handlers, JobContext, Jobs, Migrations, Module, NoConfig, Principal, Problem, Resource,
    Result, Routes, Tx, entities, export_module, get, post,
};

use tables::{doc, note};

export_module!(DeskModule);

/// The module.
#[derive(Debug)]
pub struct DeskModule {
    ctx: Context,
    db: Db,
    events: Events,
    authz: Authz,
    audit: Audit,
    release: Notify,
    begun: AtomicU64,
}

/// A document was made.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Made {
    /// Its id.
    pub doc: i64,
}

impl Event for Made {
    const TYPE: &'static str = "desk.doc.made.v1";
}

impl Module for DeskModule {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self {
            db: ctx.db()?,
            events: ctx.events()?,
            authz: ctx.authz()?,
            audit: ctx.audit()?,
            release: Notify::new(),
            begun: AtomicU64::new(0),
            ctx,
        })
    }

    fn migrations() -> Migrations {
        tables::migrations()
    }

    fn entities() -> Entities {
        entities![doc::Entity, note::Entity]
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/who", get(who))
            .public()
            .route("/known", get(known))
            .public()
            .route("/docs", get(list).post(make))
            .authenticated()
            .route("/docs/{id}", get(read).delete(remove))
            .authenticated()
            .route("/all", get(list))
            .require("desk.doc.read")
            .route("/drawer", get(list))
            .require("desk.doc.read")
            .hidden()
            .route("/why/{id}", get(why))
            .authenticated()
            .route("/spawned", get(spawned))
            .authenticated()
            .route("/undeclared", get(undeclared))
            .public()
            .route("/notes", get(notes))
            .public()
            .route("/wrong", post(wrong))
            .public()
            .route("/charges", post(charge).get(charges))
            .require("desk.charge.write")
            .idempotent()
            .route("/brief", post(charge))
            .require("desk.charge.write")
            .idempotent_for(Duration::from_millis(1))
            .route("/loose", post(charge))
            .public()
            .route("/release", post(release))
            .public()
    }

    fn events() -> Handlers<Self> {
        Handlers::new().on::<Made>("note", Self::on_made)
    }

    fn jobs() -> Jobs<Self> {
        Jobs::new().job("tidy", Self::tidy)
    }
}

impl DeskModule {
    async fn on_made(self: Arc<Self>, made: Made, ctx: EventContext) -> Result<(), Error> {
        let text = json!({
            "doc": made.doc, "actor": ctx.actor(), "tenant": ctx.meta().tenant, "as": current(),
            "may": self.authz.check("desk.doc.write", "doc/1")?, "call": Call::current().is_some(),
        });
        note::Entity::insert(note::row(&text)).exec(&ctx.tx()?).await?;
        let noted = Entry::of("desk.doc.note").on(format!("doc/{}", made.doc));
        self.audit.record(&ctx, noted).await?;
        Ok(())
    }

    async fn tidy(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        let text = json!({ "as": current(), "may": self.authz.check("desk.doc.write", "doc/1")? });
        note::Entity::insert(note::row(&text)).exec(&self.db).await?;
        Ok(())
    }
}

fn current() -> Option<String> {
    Principal::current().map(|who| who.subject().to_owned())
}

async fn who(who: Option<Principal>, call: Call) -> Json<Value> {
    Json(json!({
        "subject": who.as_ref().map(Principal::subject),
        "tenant": who.as_ref().map(|who| who.tenant.as_str()),
        "scopes": who.as_ref().and_then(|who| who.scopes.clone()),
        "call": call.principal.as_ref().map(Principal::subject),
    }))
}

async fn known(who: Principal) -> String {
    // The same after the handler went on to another poll.
    tokio::task::yield_now().await;
    format!("{who} {}", Principal::current().is_some_and(|now| now == who))
}

async fn make(State(desk): State<Arc<DeskModule>>, who: Principal, Json(name): Json<String>) -> Result<Json<i64>> {
    let tx = desk.db.begin().await?;
    let row = doc::ActiveModel {
        name: Set(name.clone()),
        owner: Set(Some(who.subject().to_owned()).filter(|_| name != "stray")),
        ..Default::default()
    };
    let id = doc::Entity::insert(row).exec(&tx).await?.last_insert_id;
    desk.events.publish(&tx, &Made { doc: id }).await?;
    let entry = Entry::of("desk.doc.make")
        .on(format!("doc/{id}"))
        .added("name", &name)
        .added("password", "canary");
    desk.audit.record(&tx, entry).await?;
    if name == "doomed" {
        return Err(Problem::conflict("it is doomed"));
    }
    tx.commit().await?;
    Ok(Json(id))
}

async fn list(State(desk): State<Arc<DeskModule>>) -> Result<Json<Value>> {
    let scope = desk.authz.scope("desk.doc.read")?;
    let rows = || doc::Entity::find().filter(scope.condition(&desk.db, doc::Column::Owner, named("doc/", doc::Column::Id)));
    let found = rows().order_by_asc(doc::Column::Id).all(&desk.db).await?;
    let covered = doc::Entity::find().order_by_asc(doc::Column::Id).all(&desk.db).await?;
    let covered = covered
        .into_iter()
        .filter(|row| scope.covers(&format!("doc/{}", row.id), row.owner.as_deref()));
    Ok(Json(json!({
        "ids": found.iter().map(|row| row.id).collect::<Vec<_>>(),
        "covered": covered.map(|row| row.id).collect::<Vec<_>>(),
        "count": rows().count(&desk.db).await?,
    })))
}

async fn read(State(desk): State<Arc<DeskModule>>, Path(id): Path<i64>) -> Result<String> {
    let row = desk.doc(id).await?;
    desk.authz.require("desk.doc.read", row.resource())?;
    Ok(row.name)
}

async fn remove(State(desk): State<Arc<DeskModule>>, Path(id): Path<i64>) -> Result<String> {
    let row = desk.doc(id).await?;
    if let Err(problem) = desk.authz.require("desk.doc.write", row.resource()) {
        let denied = Entry::of("desk.doc.remove").on(format!("doc/{id}")).denied("not theirs");
        desk.audit.record_now(denied).await?;
        return Err(problem);
    }
    doc::Entity::delete_by_id(id).exec(&desk.db).await?;
    Ok("removed".to_owned())
}

impl DeskModule {
    async fn doc(&self, id: i64) -> Result<doc::Model> {
        let row = doc::Entity::find_by_id(id).one(&self.db).await?;
        row.ok_or_else(|| Problem::not_found("there is no such document"))
    }
}

impl doc::Model {
    fn resource(&self) -> Resource {
        Resource::named(format!("doc/{}", self.id)).owned_by(self.owner.clone().unwrap_or_default())
    }
}

async fn why(State(desk): State<Arc<DeskModule>>, Path(id): Path<i64>) -> Result<Json<Value>> {
    let row = desk.doc(id).await?;
    let why = desk.authz.explain("desk.doc.read", row.resource())?;
    Ok(Json(json!({ "allowed": why.allowed, "because": why.because, "rule": why.rule })))
}

/// A task has no caller: it is not asked about the module instead, which may do everything here.
async fn spawned(State(desk): State<Arc<DeskModule>>) -> Result<String> {
    let (tell, told) = oneshot::channel();
    let module = desk.clone();
    desk.ctx.spawn(async move {
        let said = match module.authz.check("desk.doc.write", "doc/1") {
            Ok(may) => may.to_string(),
            Err(fault) => format!("{:?} {:?}: {fault}", fault.code, current()),
        };
        drop(tell.send(said));
    });
    told.await.map_err(Problem::internal)
}

async fn undeclared(State(desk): State<Arc<DeskModule>>) -> String {
    match desk.authz.check("blog.post.write", "post/1") {
        Ok(may) => may.to_string(),
        Err(fault) => fault.to_string(),
    }
}

async fn wrong(State(desk): State<Arc<DeskModule>>) -> String {
    match desk.audit.record_now(Entry::of("No Action")).await {
        Ok(id) => id,
        Err(fault) => fault.to_string(),
    }
}

/// What is charged, and how it goes.
#[derive(Debug, Deserialize)]
struct Charge {
    amount: i64,
    #[serde(default)]
    how: String,
}

async fn charge(State(desk): State<Arc<DeskModule>>, tx: Tx, Json(charge): Json<Charge>) -> Result<Response> {
    let done = note::Entity::insert(note::row(&json!({ "amount": charge.amount })))
        .exec(&tx)
        .await?;
    desk.audit.record(&tx, Entry::of("desk.charge.make")).await?;
    desk.begun.fetch_add(1, Ordering::SeqCst);
    let answer = (StatusCode::CREATED, Json(done.last_insert_id)).into_response();
    match charge.how.as_str() {
        "wait" => desk.release.notified().await,
        "refuse" => return Err(Problem::conflict("not today")),
        #[allow(clippy::panic, reason = "what the test is about")]
        "panic" => panic!("between handler and commit"),
        // It has answered, and its answer never ends.
        "hang" => return Ok(Response::new(Body::new(Endless))),
        _ => {}
    }
    Ok(answer)
}

/// A body that never ends.
struct Endless;

impl http_body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

async fn charges(State(desk): State<Arc<DeskModule>>) -> Result<Json<Value>> {
    let rows = note::Entity::find().count(&desk.db).await?;
    Ok(Json(json!({ "rows": rows, "begun": desk.begun.load(Ordering::SeqCst) })))
}

async fn release(State(desk): State<Arc<DeskModule>>) {
    desk.release.notify_one();
}

async fn notes(State(desk): State<Arc<DeskModule>>) -> Result<Json<Vec<Value>>> {
    let rows = note::Entity::find().order_by_asc(note::Column::Id).all(&desk.db).await?;
    Ok(Json(rows.into_iter().map(|row| row.text).collect()))
}
