//! Transactions, savepoints and streams.

use futures_util::StreamExt as _;
use sea_orm::{
    AccessMode, ActiveModelTrait, DbErr, EntityTrait, IsolationLevel, PaginatorTrait, QueryOrder, StreamTrait, TransactionError,
    TransactionTrait,
};
use wharf_sdk::services::database::{Db, DbErrExt, DbFailureKind};

use super::queries::person;
use super::{Outcome, holds, same};
use crate::entities::customer;

async fn count(db: &Db) -> Result<u64, DbErr> {
    customer::Entity::find().count(db).await
}

pub(super) async fn what_is_committed_stays_and_what_is_rolled_back_does_not(db: &Db) -> Outcome {
    let tx = db.begin().await?;
    person("ada", None).insert(&tx).await?;
    let first = tx.id();
    tx.commit().await?;
    let tx = db.begin().await?;
    holds(tx.id() != first, "two transactions have one identity")?;
    person("bob", None).insert(&tx).await?;
    tx.rollback().await?;
    same(count(db).await?, 1)
}

pub(super) async fn a_dropped_transaction_is_rolled_back(db: &Db) -> Outcome {
    let tx = db.begin().await?;
    person("ada", None).insert(&tx).await?;
    drop(tx);
    // Waits for the writer that the dropped one had.
    person("bob", None).insert(db).await?;
    same(count(db).await?, 1)
}

pub(super) async fn a_reader_does_not_see_what_is_not_committed(db: &Db) -> Outcome {
    let writer = db.begin().await?;
    person("ada", None).insert(&writer).await?;
    let reader = db.begin_with_config(None, Some(AccessMode::ReadOnly)).await?;
    same(customer::Entity::find().count(&reader).await?, 0)?;
    same(customer::Entity::find().count(&writer).await?, 1)?;
    reader.commit().await?;
    writer.commit().await?;
    same(count(db).await?, 1)
}

pub(super) async fn savepoints_roll_back_alone(db: &Db) -> Outcome {
    let outer = db.begin().await?;
    person("outer", None).insert(&outer).await?;
    let inner = outer.begin().await?;
    person("kept", None).insert(&inner).await?;
    let innermost = inner.begin().await?;
    person("lost", None).insert(&innermost).await?;
    innermost.rollback().await?;
    inner.commit().await?;
    let dropped = outer.begin().await?;
    person("dropped", None).insert(&dropped).await?;
    drop(dropped);
    // A rollback that comes late must not take this one along.
    let next = outer.begin().await?;
    person("next", None).insert(&next).await?;
    next.commit().await?;
    outer.commit().await?;
    let names = customer::Entity::find().order_by_asc(customer::Column::Email).all(db).await?;
    same(
        names.iter().map(|p| p.email.as_str()).collect::<Vec<_>>(),
        vec!["kept", "next", "outer"],
    )
}

pub(super) async fn a_commit_with_an_open_savepoint_is_a_rollback_and_an_error(db: &Db) -> Outcome {
    let outer = db.begin().await?;
    let inner = outer.begin().await?;
    person("ada", None).insert(&inner).await?;
    holds(outer.commit().await.is_err(), "it was committed")?;
    drop(inner);
    same(count(db).await?, 0)
}

pub(super) async fn a_closure_commits_or_rolls_back(db: &Db) -> Outcome {
    db.transaction::<_, _, DbErr>(|tx| {
        Box::pin(async move {
            person("ada", None).insert(tx).await?;
            tx.transaction::<_, (), DbErr>(|tx| Box::pin(async move { person("in", None).insert(tx).await.map(|_| ()) }))
                .await
                .map_err(|error| DbErr::Custom(error.to_string()))
        })
    })
    .await?;
    let failed = db
        .transaction::<_, (), DbErr>(|tx| {
            Box::pin(async move {
                person("bob", None).insert(tx).await?;
                Err(DbErr::Custom("no".to_owned()))
            })
        })
        .await;
    holds(matches!(failed, Err(TransactionError::Transaction(_))), "its error was lost")?;
    same(count(db).await?, 2)
}

pub(super) async fn a_read_only_transaction_does_not_write(db: &Db) -> Outcome {
    let tx = db.begin_with_config(None, Some(AccessMode::ReadOnly)).await?;
    match person("ada", None).insert(&tx).await {
        Ok(_) => holds(false, "it wrote"),
        Err(error) => same(error.failure().map(|failure| failure.kind), Some(DbFailureKind::Refused)),
    }
}

pub(super) async fn isolation_levels_are_taken(db: &Db) -> Outcome {
    for level in [
        IsolationLevel::ReadUncommitted,
        IsolationLevel::ReadCommitted,
        IsolationLevel::RepeatableRead,
        IsolationLevel::Serializable,
    ] {
        let tx = db.begin_with_config(Some(level), None).await?;
        person(&level.to_string(), None).insert(&tx).await?;
        tx.commit().await?;
    }
    same(count(db).await?, 4)
}

pub(super) async fn an_ended_transaction_is_gone(db: &Db) -> Outcome {
    let outer = db.begin().await?;
    let inner = outer.begin().await?;
    outer.rollback().await?;
    match person("ada", None).insert(&inner).await {
        Ok(_) => holds(false, "a savepoint outlived its transaction"),
        Err(error) => same(error.failure().map(|failure| failure.kind), Some(DbFailureKind::Gone)),
    }
}

async fn many(db: &Db) -> Result<(), DbErr> {
    for chunk in 0..5 {
        let people = (0..200).map(|n| person(&format!("{:05}", chunk * 200 + n), None));
        customer::Entity::insert_many(people).exec(db).await?;
    }
    Ok(())
}

pub(super) async fn a_stream_gives_all_rows_in_order(db: &Db) -> Outcome {
    many(db).await?;
    let mut stream = customer::Entity::find().order_by_asc(customer::Column::Email).stream(db).await?;
    let mut seen = 0;
    while let Some(person) = stream.next().await {
        same(person?.email, format!("{seen:05}"))?;
        seen += 1;
    }
    same(seen, 1000)
}

pub(super) async fn a_stream_may_be_dropped_early(db: &Db) -> Outcome {
    many(db).await?;
    for _ in 0..20 {
        let mut stream = customer::Entity::find().stream(db).await?;
        stream.next().await.transpose()?;
    }
    same(count(db).await?, 1000)
}

pub(super) async fn a_stream_in_a_transaction_sees_its_rows(db: &Db) -> Outcome {
    let tx = db.begin().await?;
    person("ada", None).insert(&tx).await?;
    let backend = StreamTrait::get_database_backend(&tx);
    let statement = sea_orm::Statement::from_string(backend, "SELECT email FROM customer");
    let mut stream = tx.stream_raw(statement).await?;
    let row = stream.next().await.transpose()?;
    same(
        row.map(|row| row.try_get::<String>("", "email")).transpose()?,
        Some("ada".to_owned()),
    )?;
    drop(stream);
    person("bob", None).insert(&tx).await?;
    tx.commit().await?;
    same(count(db).await?, 2)
}
