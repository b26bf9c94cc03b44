//! The engine as every database must run it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::{Filter, Item, Kind, Lane, LaneSettings, NewItem, Queue, Queues, State, Verdict, WatchedDatabases, Work, WorkFuture};
use crate::ports::clock::MovableClock;
use crate::ports::database::{Databases, On};
use crate::ports::signals::MemorySignals;

const LEASE: Duration = Duration::from_secs(30);
const KIND: Kind = Kind::JOB;

/// Two hosts on the same databases.
struct Rig {
    clock: Arc<MovableClock>,
    one: Queue,
    two: Queue,
    _queues: (Arc<Queues>, Arc<Queues>),
}

/// All of it, each part in a space of its own.
pub(crate) async fn run(databases: &Arc<dyn Databases>, prefix: &str) {
    let rig = async |name: &str| rig(databases, &format!("{prefix}{name}")).await;
    items_are_put_once_and_with_their_transaction(&rig("put").await).await;
    keys_are_in_order_and_others_are_not_held_up(&rig("keys").await).await;
    a_failure_comes_again_and_at_last_is_dead(&rig("fail").await).await;
    a_lease_that_ended_is_taken_over_and_its_holder_ends_nothing(&rig("lease").await).await;
    two_hosts_share_the_work_and_do_each_piece_once(&rig("share").await).await;
    a_lane_is_woken_by_the_commit_and_hands_over_what_is_cut(&rig("lane").await).await;
}

async fn rig(databases: &Arc<dyn Databases>, module: &str) -> Rig {
    let clock = Arc::new(MovableClock::default());
    let open = |node: &str| {
        let watched = WatchedDatabases::new(databases.clone());
        Queues::new(watched, clock.clone(), node, Arc::new(MemorySignals::new()))
    };
    let (one, two) = (open("one"), open("two"));
    Rig {
        one: one.of(module).await.unwrap(),
        two: two.of(module).await.unwrap(),
        clock: clock.clone(),
        _queues: (one, two),
    }
}

fn item(name: &str, key: Option<&str>, text: &str) -> NewItem {
    let mut item = NewItem::new(name, text.as_bytes().to_vec());
    item.key = key.map(str::to_owned);
    item.max_attempts = 3;
    item
}

fn texts(items: &[Item]) -> Vec<String> {
    items.iter().map(|item| String::from_utf8(item.payload.clone()).unwrap()).collect()
}

async fn lease(queue: &Queue, name: &str) -> Vec<Item> {
    queue.lease(KIND, name, true, 10, LEASE).await.unwrap()
}

async fn items_are_put_once_and_with_their_transaction(rig: &Rig) {
    let mut first = item("a", None, "1");
    first.dedup = Some("x".to_owned());
    assert_eq!(rig.one.put(On::Pool, KIND, &[first.clone()]).await.unwrap(), 1);
    assert_eq!(rig.one.put(On::Pool, KIND, &[first]).await.unwrap(), 0);
    let tx = rig.one.begin().await.unwrap();
    rig.one.put(tx.on(), KIND, &[item("a", None, "2")]).await.unwrap();
    tx.rollback().await;
    let tx = rig.one.begin().await.unwrap();
    rig.one.put(tx.on(), KIND, &[item("a", None, "3")]).await.unwrap();
    tx.commit().await.unwrap();
    let leased = lease(&rig.two, "a").await;
    assert_eq!(texts(&leased), ["1", "3"]);
    assert!(leased.iter().all(|item| item.attempts == 1 && item.state == State::Leased));
    assert!(rig.two.end(On::Pool, &leased.iter().collect::<Vec<_>>(), false).await.unwrap());
    assert_eq!(rig.one.busy().await.unwrap(), 0);
}

async fn keys_are_in_order_and_others_are_not_held_up(rig: &Rig) {
    let items = [
        item("a", Some("k"), "k1"),
        item("a", Some("k"), "k2"),
        item("a", Some("l"), "l1"),
        item("a", None, "n1"),
    ];
    rig.one.put(On::Pool, KIND, &items).await.unwrap();
    let first = rig.one.lease(KIND, "a", true, 1, LEASE).await.unwrap();
    assert_eq!(texts(&first), ["k1"]);
    assert_eq!(texts(&lease(&rig.two, "a").await), ["l1", "n1"], "k2 waits for k1");
    rig.one
        .fail(&first[0], &["no".to_owned()], Some(Duration::from_secs(60)))
        .await
        .unwrap();
    assert!(lease(&rig.two, "a").await.is_empty(), "k1 is to be tried again, and k2 after it");
    rig.clock.advance(Duration::from_secs(61));
    assert_eq!(texts(&lease(&rig.two, "a").await), ["k1", "k2"]);
}

async fn a_failure_comes_again_and_at_last_is_dead(rig: &Rig) {
    rig.one.put(On::Pool, KIND, &[item("a", None, "1")]).await.unwrap();
    for attempt in 1..=3 {
        let leased = lease(&rig.one, "a").await;
        assert_eq!((leased.len(), leased[0].attempts), (1, attempt));
        let state = rig
            .one
            .fail(&leased[0], &["outer".to_owned(), "inner".to_owned()], Some(Duration::from_secs(5)))
            .await
            .unwrap();
        assert_eq!(state, if attempt == 3 { State::Dead } else { State::Waiting });
        assert!(lease(&rig.one, "a").await.is_empty());
        rig.clock.advance(Duration::from_secs(6));
    }
    let dead = Filter {
        state: Some(State::Dead),
        ..Filter::default()
    };
    let found = rig.two.list(KIND, &dead).await.unwrap();
    assert_eq!((found.len(), found[0].errors.len()), (1, 3));
    assert_eq!(
        (found[0].errors[2].error.as_slice(), found[0].errors[2].node.as_str()),
        (["outer".to_owned(), "inner".to_owned()].as_slice(), "one")
    );
    assert_eq!(rig.two.retry(KIND, &Filter::default()).await.unwrap(), 1);
    assert_eq!(lease(&rig.two, "a").await.len(), 1);
    assert_eq!(rig.two.purge(KIND, &Filter::default()).await.unwrap(), 0, "somebody works on it");
}

async fn a_lease_that_ended_is_taken_over_and_its_holder_ends_nothing(rig: &Rig) {
    rig.one.put(On::Pool, KIND, &[item("a", None, "1")]).await.unwrap();
    let held = lease(&rig.one, "a").await;
    assert!(rig.one.renew(&held[0].lease, LEASE).await.unwrap());
    rig.clock.advance(LEASE + Duration::from_secs(1));
    // Whoever looks first takes it back: this call, or the one that looks now and then.
    rig.two.reclaim().await.unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let taken = loop {
        let taken = lease(&rig.two, "a").await;
        if !taken.is_empty() {
            break taken;
        }
        assert!(Instant::now() < until);
        tokio::task::yield_now().await;
    };
    assert_eq!(
        (taken[0].attempts, taken[0].errors.len()),
        (2, 1),
        "a try that ended with its process counts"
    );
    assert!(!rig.one.renew(&held[0].lease, LEASE).await.unwrap());
    assert!(!rig.one.end(On::Pool, &[&held[0]], false).await.unwrap());
    assert!(rig.two.end(On::Pool, &[&taken[0]], true).await.unwrap());
    let kept = rig.one.list(KIND, &Filter::default()).await.unwrap();
    assert_eq!((kept.len(), kept[0].state), (1, State::Done));
}

#[derive(Default)]
struct Counting(Mutex<Vec<String>>);

impl Work for Counting {
    fn run(&self, items: Vec<Item>) -> WorkFuture<'_> {
        Box::pin(async move {
            self.0.lock().unwrap().extend(texts(&items));
            vec![Verdict::Done; items.len()]
        })
    }
}

async fn two_hosts_share_the_work_and_do_each_piece_once(rig: &Rig) {
    let items: Vec<_> = (0..200)
        .map(|n| item("a", Some(&format!("{}", n % 7)), &format!("{n:03}")))
        .collect();
    let work = Arc::new(Counting::default());
    let settings = || LaneSettings {
        batch: 5,
        concurrency: 2,
        ..LaneSettings::new(KIND, "a")
    };
    let lanes = [
        Lane::start(rig.one.clone(), settings(), work.clone()),
        Lane::start(rig.two.clone(), settings(), work.clone()),
    ];
    rig.one.put(On::Pool, KIND, &items).await.unwrap();
    wait_until(|| work.0.lock().unwrap().len() >= 200).await;
    for lane in lanes {
        assert!(lane.drain(Duration::from_secs(10)).await);
    }
    let done = work.0.lock().unwrap().clone();
    assert_eq!(done.len(), 200);
    for key in 0..7 {
        let of_key: Vec<usize> = done
            .iter()
            .map(|text| text.parse::<usize>().unwrap())
            .filter(|n| *n % 7 == key)
            .collect();
        assert!(of_key.is_sorted(), "key {key}: {of_key:?}");
    }
    assert_eq!(rig.one.busy().await.unwrap(), 0);
}

struct Hanging;

impl Work for Hanging {
    fn run(&self, _: Vec<Item>) -> WorkFuture<'_> {
        Box::pin(std::future::pending())
    }
}

async fn a_lane_is_woken_by_the_commit_and_hands_over_what_is_cut(rig: &Rig) {
    let lane = Lane::start(rig.one.clone(), LaneSettings::new(KIND, "a"), Arc::new(Hanging));
    let tx = rig.one.begin().await.unwrap();
    rig.one.put(tx.on(), KIND, &[item("a", None, "1")]).await.unwrap();
    tx.commit().await.unwrap();
    let leased = Filter {
        state: Some(State::Leased),
        ..Filter::default()
    };
    let until = Instant::now() + Duration::from_secs(10);
    while rig.one.list(KIND, &leased).await.unwrap().is_empty() {
        assert!(Instant::now() < until, "nobody was woken");
        tokio::task::yield_now().await;
    }
    assert!(!lane.drain(Duration::from_millis(50)).await);
    let taken = lease(&rig.two, "a").await;
    assert_eq!((taken.len(), taken[0].attempts), (1, 1), "what was cut was not tried");
}

async fn wait_until(mut ready: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(30);
    while !ready() {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
