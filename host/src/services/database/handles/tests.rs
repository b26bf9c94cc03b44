//! On the embedded database.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use wharf_plugin_api::sql::Statement;

use super::*;
use crate::ports::database::{Begin, Databases, On};
use crate::services::Backends;

const LONG: Duration = Duration::from_secs(60);

async fn space() -> (Arc<dyn Databases>, Arc<dyn Space>) {
    let databases = Backends::in_memory().databases;
    let space = databases.space("m").await.unwrap();
    (databases, space)
}

async fn begin(space: &Arc<dyn Space>, within: Option<TxId>) -> TxId {
    let begin = Begin {
        within,
        ..Begin::default()
    };
    space.begin(begin).await.unwrap()
}

async fn until_free(space: &Arc<dyn Space>) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while space.usage().transactions + space.usage().cursors > 0 {
        assert!(Instant::now() < deadline, "{:?}", space.usage());
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_end_of_a_call_ends_what_it_opened() {
    let (_databases, space) = space().await;
    let (handles, runtime) = (Handles::new(space.clone(), LONG), Runtime::current());
    let call = Arc::new(handles.for_call());
    let owner = Owner::Call(Arc::downgrade(&call));
    let tx = begin(&space, None).await;
    let id = handles.take_in(Opened::tx(tx, None), &owner, &runtime).unwrap();
    let inner = begin(&space, Some(tx)).await;
    handles.take_in(Opened::tx(inner, Some(id)), &owner, &runtime).unwrap();
    assert_eq!((handles.tx(id).unwrap(), handles.count()), (tx, 2));
    drop(call);
    assert_eq!(handles.count(), 0);
    assert_eq!(handles.tx(id).unwrap_err().kind, DbErrorKind::Gone);
    until_free(&space).await;
}

#[tokio::test]
async fn what_is_opened_when_its_call_has_ended_is_ended_at_once() {
    let (_databases, space) = space().await;
    let (handles, runtime) = (Handles::new(space.clone(), LONG), Runtime::current());
    let owner = Owner::Call(Arc::downgrade(&Arc::new(handles.for_call())));
    let tx = begin(&space, None).await;
    assert_eq!(
        handles.take_in(Opened::tx(tx, None), &owner, &runtime).unwrap_err().kind,
        DbErrorKind::Gone
    );
    until_free(&space).await;
}

#[tokio::test]
async fn the_end_of_an_instance_ends_everything_and_nothing_new_is_taken_in() {
    let (_databases, space) = space().await;
    let (handles, runtime) = (Handles::new(space.clone(), LONG), Runtime::current());
    let tx = begin(&space, None).await;
    handles.take_in(Opened::tx(tx, None), &Owner::Instance, &runtime).unwrap();
    handles.end_all(true);
    until_free(&space).await;
    let tx = begin(&space, None).await;
    assert!(handles.take_in(Opened::tx(tx, None), &Owner::Instance, &runtime).is_err());
    until_free(&space).await;
}

#[tokio::test]
async fn an_instance_keeps_a_handle_for_its_age_and_no_longer() {
    let (_databases, space) = space().await;
    let (handles, runtime) = (Handles::new(space.clone(), Duration::from_millis(100)), Runtime::current());
    let tx = begin(&space, None).await;
    let id = handles.take_in(Opened::tx(tx, None), &Owner::Instance, &runtime).unwrap();
    assert!(handles.tx(id).is_ok());
    until_free(&space).await;
    assert_eq!(handles.count(), 0);
}

#[tokio::test]
async fn a_lent_transaction_is_used_and_not_ended() {
    let (_databases, space) = space().await;
    let (handles, runtime) = (Handles::new(space.clone(), LONG), Runtime::current());
    space.execute_raw(On::Pool, "CREATE TABLE t (x INTEGER)").await.unwrap();
    let tx = begin(&space, None).await;
    let loan = handles.lend(tx);
    let id = loan.id();
    assert_eq!(handles.tx(id).unwrap(), tx);
    assert_eq!(handles.own_tx(id).unwrap_err().kind, DbErrorKind::Refused);
    let insert = Statement::new("INSERT INTO t VALUES (1)", Vec::new());
    space.execute(On::Tx(tx), &insert).await.unwrap();
    let inner = begin(&space, Some(tx)).await;
    handles.take_in(Opened::tx(inner, Some(id)), &Owner::Instance, &runtime).unwrap();
    // A handler that let go of it, and left a savepoint open.
    handles.let_go(inner.0);
    drop(loan);
    assert_eq!(handles.tx(id).unwrap_err().kind, DbErrorKind::Gone);
    space.commit(tx).await.unwrap();
    let rows = space.query(On::Pool, &Statement::new("SELECT x FROM t", Vec::new())).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn handles_of_others_are_not_there() {
    let (_databases, space) = space().await;
    let handles = Handles::new(space.clone(), LONG);
    let other = begin(&space, None).await;
    assert_eq!(handles.tx(other.0).unwrap_err().kind, DbErrorKind::Gone);
    assert_eq!(handles.own_tx(other.0).unwrap(), None);
    assert_eq!(handles.cursor(other.0).unwrap_err().kind, DbErrorKind::Gone);
    space.rollback(other).await.unwrap();
}

#[tokio::test]
async fn a_call_has_the_writer_while_a_transaction_of_it_may_write() {
    let (_databases, space) = space().await;
    let (handles, runtime) = (Handles::new(space.clone(), LONG), Runtime::current());
    let call = Arc::new(handles.for_call());
    let owner = Owner::Call(Arc::downgrade(&call));
    let reading = Begin {
        read_only: true,
        ..Begin::default()
    };
    let reader = space.begin(reading).await.unwrap();
    handles.take_in(Opened::tx(reader, None), &owner, &runtime).unwrap();
    assert!(!call.has_writer(), "it only reads");
    let tx = begin(&space, None).await;
    let id = handles.take_in(Opened::tx(tx, None).writing(true), &owner, &runtime).unwrap();
    assert!(call.has_writer() && !handles.for_call().has_writer());
    space.commit(tx).await.unwrap();
    handles.forget(id);
    assert!(!call.has_writer(), "it has ended");
}

#[tokio::test]
async fn what_a_transaction_was_lent_for_has_the_writer_until_it_is_given_back() {
    let (_databases, space) = space().await;
    let handles = Handles::new(space.clone(), LONG);
    let loan = handles.lend(begin(&space, None).await);
    let work = handles.for_loan(&loan);
    assert!(work.has_writer());
    drop(loan);
    assert!(!work.has_writer());
}
