//! What signals must do; each form runs it with two nodes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use super::{Signals, Watch};

/// What all nodes know within.
const SOON: Duration = Duration::from_secs(1);

/// Runs the whole suite on two nodes of one installation on which nothing was signalled yet.
pub(crate) async fn check(one: &dyn Signals, two: &dyn Signals) {
    an_epoch_grows_by_one_and_both_read_it(one, two).await;
    watchers_of_both_nodes_are_told_within_a_second(one, two).await;
    only_watched_names_are_told(one, two).await;
    a_nudge_arrives_too(one, two).await;
    bumps_at_once_all_count(one, two).await;
}

async fn an_epoch_grows_by_one_and_both_read_it(one: &dyn Signals, two: &dyn Signals) {
    assert_eq!(one.epoch("contract.epoch").await.unwrap(), 0);
    assert_eq!(one.bump("contract.epoch").await.unwrap(), 1);
    assert_eq!(two.bump("contract.epoch").await.unwrap(), 2);
    assert_eq!(one.epoch("contract.epoch").await.unwrap(), 2);
    assert_eq!(two.epoch("contract.epoch").await.unwrap(), 2);
}

async fn watchers_of_both_nodes_are_told_within_a_second(one: &dyn Signals, two: &dyn Signals) {
    for (from, name) in [(one, "contract.from-one"), (two, "contract.from-two")] {
        let (mut at_one, mut at_two) = (one.watch(&[name]), two.watch(&[name, "contract.other"]));
        let epoch = from.bump(name).await.unwrap();
        wait_for(&mut at_one, name, epoch).await;
        wait_for(&mut at_two, name, epoch).await;
    }
}

async fn only_watched_names_are_told(one: &dyn Signals, two: &dyn Signals) {
    let mut watch = two.watch(&["contract.watched"]);
    one.bump("contract.unwatched").await.unwrap();
    one.bump("contract.watched").await.unwrap();
    assert_eq!(tokio::time::timeout(SOON, watch.changed()).await.unwrap(), ["contract.watched"]);
}

async fn a_nudge_arrives_too(one: &dyn Signals, two: &dyn Signals) {
    let (mut here, mut there) = (one.watch(&["contract.nudge"]), two.watch(&["contract.nudge"]));
    one.nudge("contract.nudge");
    assert_eq!(here.take_changed(), ["contract.nudge"], "not at once on its own node");
    wait_for(&mut there, "contract.nudge", 1).await;
}

async fn bumps_at_once_all_count(one: &dyn Signals, two: &dyn Signals) {
    let before = one.epoch("contract.many").await.unwrap();
    let bumps = (0..20).map(|n| {
        if n % 2 == 0 {
            one.bump("contract.many")
        } else {
            two.bump("contract.many")
        }
    });
    let mut epochs: Vec<u64> = futures_util::future::join_all(bumps)
        .await
        .into_iter()
        .map(Result::unwrap)
        .collect();
    epochs.sort_unstable();
    assert!(epochs.iter().all(|epoch| *epoch > before));
    assert_eq!(one.epoch("contract.many").await.unwrap(), *epochs.last().unwrap());
}

async fn wait_for(watch: &mut Watch, name: &str, epoch: u64) {
    let told = async {
        while watch.epoch(name) < epoch {
            watch.changed().await;
        }
    };
    tokio::time::timeout(SOON, told).await.unwrap();
}
