//! What a module keeps with the host.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use sea_orm::prelude::{DateTimeUtc, Decimal, Uuid};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    AccessMode, ActiveModelTrait as _, ActiveValue::Set, ColumnTrait as _, ConnectionTrait as _, EntityTrait as _, IsolationLevel,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _, TransactionTrait as _,
};
use serde_json::{Value, json};
use wharf_sdk::Error;
use wharf_sdk::services::cache::Ttl;
use wharf_sdk::services::database::DbErrExt as _;

use crate::Gamut;
use crate::tables::sample;

const MINUTE: Duration = Duration::from_secs(60);
const PIECE: usize = 64 * 1024;

fn row(word: &str) -> sample::ActiveModel {
    sample::ActiveModel {
        word: Set(word.to_owned()),
        flag: Set(true),
        share: Set(0.5),
        amount: Set(Decimal::new(12_345, 2)),
        raw: Set(vec![0, 1, 255]),
        at: Set(DateTimeUtc::UNIX_EPOCH),
        key: Set(Uuid::from_u128(0x1234)),
        tree: Set(json!({ "deep": [1, null, "ü"] })),
        ..Default::default()
    }
}

fn ordered() -> SelectStatement {
    sample::Entity::find().order_by_asc(sample::Column::Id).as_query().clone()
}

/// Reading, writing, streams, errors, transactions in transactions. Begins and ends with an empty table.
pub(crate) async fn database(gamut: &Gamut) -> Result<Value, Error> {
    let db = &gamut.db;
    sample::Entity::delete_many().exec(db).await?;
    let first = row("first").insert(db).await?;
    let same = sample::Entity::find_by_id(first.id).one(db).await?.as_ref() == Some(&first);
    let changed = sample::ActiveModel {
        maybe: Set(Some(7)),
        ..first.into()
    };
    let changed = changed.update(db).await?.maybe;
    let unique = row("first").insert(db).await.err().map(|error| error.is_unique());
    sample::Entity::insert_many((0..600).map(|n| row(&format!("many{n:03}"))))
        .exec(db)
        .await?;

    let tx = db.begin_with_config(Some(IsolationLevel::Serializable), None).await?;
    row("kept").insert(&tx).await?;
    let inner = tx.begin().await?;
    row("undone").insert(&inner).await?;
    inner.rollback().await?;
    let in_tx = sample::Entity::find().count(&tx).await?;
    tx.commit().await?;
    let dropped = db.begin().await?;
    row("dropped").insert(&dropped).await?;
    drop(dropped);

    let reader = db.begin_with_config(None, Some(AccessMode::ReadOnly)).await?;
    let streamed: Vec<sample::Model> = sample::Entity::find().stream(&reader).await?.try_collect().await?;
    let written = row("not here").insert(&reader).await.is_err();
    reader.rollback().await?;
    let mut early = sample::Entity::find().stream(db).await?;
    let one = early.try_next().await?.is_some();
    drop(early);

    let replica = sample::Entity::find()
        .filter(sample::Column::Word.starts_with("many"))
        .count(&db.replica())
        .await?;
    let json = db.json_all(&ordered()).await?;
    let named = sample::Entity::find().select_only().column(sample::Column::Word).into_json();
    let by_name = named.all(&db.by_name()).await?.len();
    db.execute_unprepared("DELETE FROM sample; DELETE FROM sample").await?;
    Ok(json!({
        "same": same, "changed": changed, "unique": unique, "in_tx": in_tx, "streamed": streamed.len(),
        "reader_cannot_write": written, "early": one, "replica": replica, "json": json.len(), "first": json.first(),
        "by_name": by_name, "left": sample::Entity::find().count(db).await?,
    }))
}

/// A blob in pieces, its parts, its neighbours.
pub(crate) async fn blobs(gamut: &Gamut) -> Result<Value, Error> {
    let blobs = gamut.ctx.blobs()?;
    let pieces = || stream::iter((0..40_u8).map(|n| Ok::<_, std::convert::Infallible>(Bytes::from(vec![n; PIECE]))));
    let put = blobs.put("tour/large", Body::from_stream(pieces()));
    let meta = put.content_type("text/plain").metadata("from", "gamut").await?;
    let head = blobs.head("tour/large").await?;
    let whole = blobs.get("tour/large").await?.bytes(64 * PIECE).await?;
    let right = whole
        .chunks(PIECE)
        .zip(0..40_u8)
        .all(|(piece, n)| piece.iter().all(|byte| *byte == n));
    let border = PIECE as u64;
    let part = blobs.get_range("tour/large", border - 2..border + 2).await?.bytes(16).await?;
    // Given back without having been read.
    drop(blobs.get("tour/large").await?);
    let copied = blobs.copy("tour/large", "tour/copy").await?;
    let again = blobs.put("tour/copy", Body::empty()).if_absent().await.err();
    let other = blobs.put("tour/copy", Body::empty()).if_matches("\"other\"").await.err();
    let page = blobs.list("tour/").await?;
    let after = blobs.list_after("tour/", "tour/copy").await?;
    let signed = [
        blobs.presign_get("tour/copy", MINUTE).await?,
        blobs.presign_put("tour/other", MINUTE).await?,
    ];
    for key in ["tour/large", "tour/copy"] {
        blobs.delete(key).await?;
    }
    let gone = blobs.head("tour/large").await.err();
    Ok(json!({
        "size": meta.size, "type": head.content_type, "right": right, "read": whole.len(), "part": part.to_vec(),
        "copied": copied.size, "if_absent": again.map(|fault| fault.code.name()), "if_matches": other.map(|fault| fault.code.name()),
        "listed": page.entries.iter().map(|entry| entry.key.as_str()).collect::<Vec<_>>(), "after": after.entries.len(),
        "signed": signed.iter().filter(|url| url.contains("tour/") || url.contains("tour%2F")).count(),
        "gone": gone.map(|fault| fault.code.name()),
    }))
}

pub(crate) async fn cache(gamut: &Gamut) -> Result<Value, Error> {
    let cache = gamut.ctx.cache()?;
    cache.clear("").await?;
    cache.set("one", &1, MINUTE).await?;
    let one: Option<i32> = cache.get("one").await?;
    cache.set_many(&[("two", 2), ("three", 3)], None).await?;
    let many: Vec<Option<i32>> = cache.get_many(&["two", "missing", "three"]).await?;
    let forever = cache.ttl("two").await? == Some(Ttl::Forever);
    let touched = cache.touch("two", MINUTE).await?;
    let left = matches!(cache.ttl("two").await?, Some(Ttl::Left(left)) if left <= MINUTE);
    let counted = [
        cache.increment("count", 5, MINUTE).await?,
        cache.increment("count", -2, MINUTE).await?,
    ];
    let swapped = [
        cache.compare_and_set("one", Some(&1), Some(&10), MINUTE).await?,
        cache.compare_and_set("one", Some(&1), Some(&11), MINUTE).await?,
        cache.compare_and_set("four", None, Some(&4), MINUTE).await?,
    ];
    let deleted = [cache.delete("one").await?, cache.delete("one").await?];
    let deleted_many = cache.delete_many(&["two", "three", "missing"]).await?;
    let loaded: i32 = cache.get_or_load("loaded", MINUTE, || async { Ok::<_, Error>(8) }).await?;

    let lease = Duration::from_millis(300);
    let lock = cache.lock("tour", lease, MINUTE).await?;
    let others = cache.try_lock("tour", lease).await?.is_some();
    // Two leases: only what was renewed is still held.
    gamut.ctx.sleep(2 * lease).await;
    let (held, fence) = (lock.is_held(), lock.fence());
    let released = lock.release().await?;
    let next = cache.lock("tour", lease, MINUTE).await?;
    let grows = next.fence() > fence;
    // Given back by the drop.
    drop(next);
    let dropped = cache.lock("tour", lease, MINUTE).await?.release().await?;
    let cleared = cache.clear("").await?;
    Ok(json!({
        "one": one, "many": many, "forever": forever, "touched": touched, "left": left, "counted": counted, "swapped": swapped,
        "deleted": deleted, "deleted_many": deleted_many, "loaded": loaded, "others": others, "held": held, "released": released,
        "grows": grows, "dropped": dropped, "cleared": cleared,
    }))
}

pub(crate) async fn secrets(gamut: &Gamut) -> Result<Value, Error> {
    let secrets = gamut.ctx.secrets()?;
    let seed = secrets.get("seed").await?;
    let undeclared = secrets.get("other").await.err();
    Ok(json!({
        "bytes": seed.reveal().len(),
        "none": secrets.find("none").await?.is_none(),
        "undeclared": undeclared.map(|fault| fault.code.name()),
    }))
}
