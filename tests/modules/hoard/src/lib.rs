//! Cache and secrets behind routes, for tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use wharf_sdk::axum::Json;
use wharf_sdk::axum::extract::{Path, Query, State};
use wharf_sdk::services::cache::{Cache, Load, Lock};
use wharf_sdk::{Context, Error, Module, NoConfig, Problem, Result, Routes, export_module, get, post};

export_module!(Hoard);

const MINUTE: Duration = Duration::from_secs(60);

/// The module.
pub struct Hoard {
    ctx: Context,
    cache: Cache,
    loads: AtomicU64,
    held: std::sync::Mutex<Option<Lock>>,
}

#[derive(serde::Deserialize)]
struct Slow {
    /// How long a load takes.
    #[serde(default)]
    ms: u64,
    /// Whether it fails.
    #[serde(default)]
    fail: bool,
    /// Whether there is nothing to be loaded.
    #[serde(default)]
    absent: bool,
    /// Whether one load is enough over all nodes.
    #[serde(default)]
    across: bool,
}

impl Module for Hoard {
    type Config = NoConfig;

    async fn init(ctx: Context, _: NoConfig) -> Result<Self, Error> {
        Ok(Self {
            cache: ctx.cache()?,
            ctx,
            loads: AtomicU64::new(0),
            held: std::sync::Mutex::new(None),
        })
    }

    fn routes() -> Routes<Self> {
        Routes::new()
            .route("/values/{key}", get(read).put(write).delete(forget))
            .public()
            .route("/count/{key}", post(count))
            .public()
            .route("/load/{key}", get(load))
            .public()
            .route("/many", get(many))
            .public()
            .route("/swap/{key}", post(swap))
            .public()
            .route("/lock/{name}", get(locked).post(lock).delete(unlock))
            .public()
            .route("/secret/{name}", get(secret))
            .public()
    }
}

async fn read(State(hoard): State<Arc<Hoard>>, Path(key): Path<String>) -> Result<Json<Value>> {
    let value = hoard.cache.get::<Value>(&key).await?;
    value.map(Json).ok_or_else(|| Problem::not_found("nothing is kept there"))
}

async fn write(State(hoard): State<Arc<Hoard>>, Path(key): Path<String>, Json(value): Json<Value>) -> Result<()> {
    Ok(hoard.cache.set(&key, &value, MINUTE).await?)
}

async fn forget(State(hoard): State<Arc<Hoard>>, Path(key): Path<String>) -> Result<Json<bool>> {
    Ok(Json(hoard.cache.delete(&key).await?))
}

async fn count(State(hoard): State<Arc<Hoard>>, Path(key): Path<String>) -> Result<Json<i64>> {
    Ok(Json(hoard.cache.increment(&key, 1, MINUTE).await?))
}

async fn load(State(hoard): State<Arc<Hoard>>, Path(key): Path<String>, Query(slow): Query<Slow>) -> Result<Json<Value>> {
    let how = Load {
        ttl: MINUTE,
        absent: Some(MINUTE),
        across_nodes: slow.across.then_some(Duration::from_secs(5)),
        ..Load::default()
    };
    let loaded = hoard
        .cache
        .get_or_load_with(&key, &how, || async {
            let n = hoard.loads.fetch_add(1, Ordering::SeqCst) + 1;
            hoard.ctx.sleep(Duration::from_millis(slow.ms)).await;
            if slow.fail {
                return Err("the load was told to fail");
            }
            Ok((!slow.absent).then_some(n))
        })
        .await;
    Ok(Json(match loaded {
        Ok(value) => json!({ "value": value, "loads": hoard.loads.load(Ordering::SeqCst) }),
        Err(error) => json!({ "error": error.to_string(), "loads": hoard.loads.load(Ordering::SeqCst) }),
    }))
}

async fn many(State(hoard): State<Arc<Hoard>>) -> Result<Json<Value>> {
    hoard.cache.set_many(&[("m:1", 1), ("m:2", 2)], MINUTE).await?;
    let found = hoard.cache.get_many::<u64>(&["m:2", "m:3", "m:1"]).await?;
    let deleted = hoard.cache.delete_many(&["m:1"]).await?;
    let cleared = hoard.cache.clear("m:").await?;
    let (ttl, touched) = (hoard.cache.ttl("m:2").await?.is_none(), hoard.cache.touch("m:2", None).await?);
    Ok(Json(json!([found, deleted, cleared, ttl, touched])))
}

async fn swap(State(hoard): State<Arc<Hoard>>, Path(key): Path<String>) -> Result<Json<Value>> {
    let first = hoard.cache.compare_and_set(&key, None, Some("a"), MINUTE).await?;
    let again = hoard.cache.compare_and_set(&key, None, Some("b"), MINUTE).await?;
    let second = hoard.cache.compare_and_set(&key, Some("a"), None, MINUTE).await?;
    Ok(Json(json!([first, again, second])))
}

async fn lock(State(hoard): State<Arc<Hoard>>, Path(name): Path<String>) -> Result<Json<Option<u64>>> {
    let Some(lock) = hoard.cache.try_lock(&name, Duration::from_millis(600)).await? else {
        return Ok(Json(None));
    };
    let fence = lock.fence();
    if let Ok(mut held) = hoard.held.lock() {
        *held = Some(lock);
    }
    Ok(Json(Some(fence)))
}

async fn locked(State(hoard): State<Arc<Hoard>>) -> Json<bool> {
    Json(hoard.held.lock().is_ok_and(|held| held.as_ref().is_some_and(Lock::is_held)))
}

async fn unlock(State(hoard): State<Arc<Hoard>>) -> Result<Json<bool>> {
    let held = hoard.held.lock().ok().and_then(|mut held| held.take());
    Ok(Json(match held {
        Some(lock) => lock.release().await?,
        None => false,
    }))
}

/// Never the secret itself: its length, and what a careless line of a log would show.
async fn secret(State(hoard): State<Arc<Hoard>>, Path(name): Path<String>) -> Result<Json<Value>> {
    let secrets = hoard.ctx.secrets()?;
    Ok(Json(match secrets.get(&name).await {
        Ok(secret) => {
            wharf_sdk::tracing::info!(secret = ?secret, "read");
            json!({ "length": secret.reveal().len(), "debug": format!("{secret:?}") })
        }
        Err(fault) => json!({ "fault": fault.code.name(), "message": fault.message.as_str() }),
    }))
}
