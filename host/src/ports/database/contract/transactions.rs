//! Transactions and savepoints.

use std::sync::Arc;
use std::time::Duration;

use super::super::{Begin, DbErrorKind, Isolation, On, Space};
use super::{ids, insert, soon, sql, table};

fn within(tx: super::super::TxId) -> Begin {
    Begin {
        within: Some(tx),
        ..Begin::default()
    }
}

pub(super) async fn others_see_nothing_before_the_commit(space: Arc<dyn Space>) {
    table(&*space).await;
    let tx = space.begin(Begin::default()).await.unwrap();
    insert(&*space, On::Tx(tx), 1).await.unwrap();
    assert_eq!(ids(&*space, On::Tx(tx)).await, [1]);
    assert_eq!(soon(ids(&*space, On::Pool)).await, [0_i64; 0]);
    space.commit(tx).await.unwrap();
    assert_eq!(ids(&*space, On::Pool).await, [1]);
    assert_eq!(space.commit(tx).await.unwrap_err().kind, DbErrorKind::Gone);
    assert_eq!(insert(&*space, On::Tx(tx), 2).await.unwrap_err().kind, DbErrorKind::Gone);

    let tx = space.begin(Begin::default()).await.unwrap();
    insert(&*space, On::Tx(tx), 2).await.unwrap();
    space.rollback(tx).await.unwrap();
    space.rollback(tx).await.unwrap();
    assert_eq!(ids(&*space, On::Pool).await, [1]);
    for isolation in [Isolation::ReadCommitted, Isolation::RepeatableRead, Isolation::Serializable] {
        let begin = Begin {
            isolation,
            ..Begin::default()
        };
        let tx = space.begin(begin).await.unwrap();
        assert_eq!(ids(&*space, On::Tx(tx)).await, [1]);
        space.commit(tx).await.unwrap();
    }
}

pub(super) async fn savepoints_have_identity(space: Arc<dyn Space>) {
    table(&*space).await;
    let outer = space.begin(Begin::default()).await.unwrap();
    insert(&*space, On::Tx(outer), 1).await.unwrap();
    let inner = space.begin(within(outer)).await.unwrap();
    insert(&*space, On::Tx(inner), 2).await.unwrap();
    // What would be done outside now would be undone with the inside.
    assert_eq!(insert(&*space, On::Tx(outer), 3).await.unwrap_err().kind, DbErrorKind::Refused);
    let deep = space.begin(within(inner)).await.unwrap();
    insert(&*space, On::Tx(deep), 4).await.unwrap();
    space.commit(deep).await.unwrap();
    space.rollback(inner).await.unwrap();
    assert_eq!(ids(&*space, On::Tx(outer)).await, [1]);
    let second = space.begin(within(outer)).await.unwrap();
    insert(&*space, On::Tx(second), 5).await.unwrap();
    space.commit(second).await.unwrap();
    assert_eq!(space.commit(inner).await.unwrap_err().kind, DbErrorKind::Gone);
    space.commit(outer).await.unwrap();
    assert_eq!(ids(&*space, On::Pool).await, [1, 5]);

    let outer = space.begin(Begin::default()).await.unwrap();
    let inner = space.begin(within(outer)).await.unwrap();
    insert(&*space, On::Tx(inner), 6).await.unwrap();
    space.rollback(outer).await.unwrap();
    assert_eq!(insert(&*space, On::Tx(inner), 7).await.unwrap_err().kind, DbErrorKind::Gone);
    assert_eq!(ids(&*space, On::Pool).await, [1, 5]);
}

pub(super) async fn a_commit_with_an_open_savepoint_rolls_back_and_fails(space: Arc<dyn Space>) {
    table(&*space).await;
    let outer = space.begin(Begin::default()).await.unwrap();
    insert(&*space, On::Tx(outer), 1).await.unwrap();
    let inner = space.begin(within(outer)).await.unwrap();
    assert_eq!(space.commit(outer).await.unwrap_err().kind, DbErrorKind::Refused);
    assert_eq!(space.commit(inner).await.unwrap_err().kind, DbErrorKind::Gone);
    assert!(ids(&*space, On::Pool).await.is_empty());
    insert(&*space, On::Pool, 2).await.unwrap();
}

pub(super) async fn a_late_rollback_does_nothing(space: Arc<dyn Space>) {
    table(&*space).await;
    let outer = space.begin(Begin::default()).await.unwrap();
    let first = space.begin(within(outer)).await.unwrap();
    space.commit(first).await.unwrap();
    let second = space.begin(within(outer)).await.unwrap();
    insert(&*space, On::Tx(second), 1).await.unwrap();
    space.abandon(first);
    space.rollback(first).await.unwrap();
    space.commit(second).await.unwrap();
    space.commit(outer).await.unwrap();
    space.abandon(outer);
    space.rollback(outer).await.unwrap();
    assert_eq!(ids(&*space, On::Pool).await, [1]);
}

pub(super) async fn what_is_abandoned_is_undone_before_anything_else(space: Arc<dyn Space>) {
    table(&*space).await;
    for round in 0..20 {
        let outer = space.begin(Begin::default()).await.unwrap();
        let inner = space.begin(within(outer)).await.unwrap();
        insert(&*space, On::Tx(inner), 1_000 + round).await.unwrap();
        space.abandon(inner);
        insert(&*space, On::Tx(outer), round).await.unwrap();
        space.commit(outer).await.unwrap();
        let alone = space.begin(Begin::default()).await.unwrap();
        insert(&*space, On::Tx(alone), 2_000).await.unwrap();
        space.abandon(alone);
    }
    assert_eq!(ids(&*space, On::Pool).await, (0..20).collect::<Vec<_>>());
}

pub(super) async fn a_failed_statement_leaves_a_transaction_that_can_be_ended(space: Arc<dyn Space>) {
    table(&*space).await;
    let outer = space.begin(Begin::default()).await.unwrap();
    insert(&*space, On::Tx(outer), 1).await.unwrap();
    let inner = space.begin(within(outer)).await.unwrap();
    assert_eq!(insert(&*space, On::Tx(inner), 1).await.unwrap_err().kind, DbErrorKind::Unique);
    space.rollback(inner).await.unwrap();
    insert(&*space, On::Tx(outer), 2).await.unwrap();
    space.commit(outer).await.unwrap();
    assert_eq!(ids(&*space, On::Pool).await, [1, 2]);

    // A commit after a failure either commits what worked or says that it did not: it is never silent.
    let tx = space.begin(Begin::default()).await.unwrap();
    insert(&*space, On::Tx(tx), 3).await.unwrap();
    insert(&*space, On::Tx(tx), 3).await.unwrap_err();
    let kept = space.commit(tx).await.is_ok();
    assert_eq!(ids(&*space, On::Pool).await.contains(&3), kept);
}

pub(super) async fn a_read_only_transaction_refuses_writes(space: Arc<dyn Space>) {
    table(&*space).await;
    insert(&*space, On::Pool, 1).await.unwrap();
    let begin = Begin {
        read_only: true,
        isolation: Isolation::RepeatableRead,
        ..Begin::default()
    };
    let tx = space.begin(begin).await.unwrap();
    assert_eq!(ids(&*space, On::Tx(tx)).await, [1]);
    // It sees one moment, and keeps no writer waiting.
    soon(insert(&*space, On::Pool, 2)).await.unwrap();
    assert_eq!(ids(&*space, On::Tx(tx)).await, [1]);
    assert_eq!(insert(&*space, On::Tx(tx), 3).await.unwrap_err().kind, DbErrorKind::Refused);
    space.rollback(tx).await.unwrap();
    assert_eq!(ids(&*space, On::Replica).await, [1, 2]);
    assert_eq!(insert(&*space, On::Replica, 3).await.unwrap_err().kind, DbErrorKind::Refused);
}

pub(super) async fn parallel_writers_wait_for_each_other(space: Arc<dyn Space>) {
    table(&*space).await;
    insert(&*space, On::Pool, 0).await.unwrap();
    let writers: Vec<_> = (0..24)
        .map(|_| {
            let space = Arc::clone(&space);
            tokio::spawn(async move {
                let tx = space.begin(Begin::default()).await.unwrap();
                let add = sql("UPDATE t SET name = name || 'x' WHERE id = 0");
                space.execute(On::Tx(tx), &add).await.unwrap();
                tokio::task::yield_now().await;
                space.commit(tx).await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        soon(writer).await.unwrap();
    }
    let rows = space.query(On::Pool, &sql("SELECT name FROM t")).await.unwrap();
    assert_eq!(rows.values[0].as_text().unwrap(), format!("n0{}", "x".repeat(24)));
}

pub(super) async fn dropped_futures_leave_nothing_open(space: Arc<dyn Space>) {
    table(&*space).await;
    for round in 0_u64..60 {
        // Given up at another moment each time: while waiting, beginning, writing, committing.
        let after = Duration::from_micros(round * 40);
        let work = async {
            let tx = space.begin(Begin::default()).await.unwrap();
            insert(&*space, On::Tx(tx), 1).await.unwrap();
            let inner = space.begin(within(tx)).await.unwrap();
            insert(&*space, On::Tx(inner), 2).await.unwrap();
            ids(&*space, On::Tx(inner)).await;
            space.rollback(tx).await.unwrap();
        };
        drop(tokio::time::timeout(after, work).await);
        // The SDK does this when a handle is dropped; here nobody has it, so only what began and was not claimed goes by itself.
        drop(tokio::time::timeout(after, insert(&*space, On::Pool, 10_000 + i64::try_from(round).unwrap())).await);
        drop(tokio::time::timeout(after, space.query(On::Pool, &sql("SELECT * FROM t"))).await);
        end_all(&*space).await;
    }
    assert!(ids(&*space, On::Pool).await.iter().all(|id| *id >= 10_000));
    soon(insert(&*space, On::Pool, 1)).await.unwrap();
}

/// Rolls back whatever is open, by its number.
async fn end_all(space: &dyn Space) {
    let probe = loop {
        let begin = Begin {
            read_only: true,
            ..Begin::default()
        };
        if let Ok(probe) = space.begin(begin).await {
            break probe;
        }
    };
    space.rollback(probe).await.unwrap();
    for back in 1..8 {
        space.rollback(super::super::TxId(probe.0.saturating_sub(back))).await.unwrap();
    }
}
