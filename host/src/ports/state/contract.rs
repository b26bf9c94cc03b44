//! What every state store must do; each form runs it.
#![allow(clippy::unwrap_used, reason = "tests")]

use jiff::Timestamp;

use super::{NodeBeat, NodeReport, StateStore};
use crate::domain::status::{Desired, State};

/// Runs the whole suite on an empty store.
pub(crate) async fn check(store: &dyn StateStore) {
    nobody_has_decided(store).await;
    decisions_are_kept_whole(store).await;
    the_last_report_of_a_node_counts(store).await;
    a_node_forgets_only_its_own_reports(store).await;
    the_last_beat_of_a_node_counts(store).await;
}

pub(crate) fn report(node: &str, module: &str, state: State) -> NodeReport {
    NodeReport {
        node: node.to_owned(),
        module: module.to_owned(),
        state,
        version: "1.2.0".to_owned(),
        generation: 7,
        since: at(1),
        detail: "because; 'quoted' \u{1f980}".to_owned(),
    }
}

async fn nobody_has_decided(store: &dyn StateStore) {
    assert_eq!(store.desired("blog").await.unwrap(), Desired::default());
    assert!(store.all_desired().await.unwrap().is_empty());
    assert!(store.reports().await.unwrap().is_empty());
    assert!(store.nodes().await.unwrap().is_empty());
}

async fn decisions_are_kept_whole(store: &dyn StateStore) {
    let pinned = Desired {
        enabled: Some(false),
        pinned_version: Some("1.0.0".into()),
        pinned_hash: Some("ab".repeat(32)),
    };
    store.set_desired("blog", &pinned).await.unwrap();
    store
        .set_desired(
            "auth",
            &Desired {
                enabled: Some(true),
                ..Desired::default()
            },
        )
        .await
        .unwrap();
    assert_eq!(store.desired("blog").await.unwrap(), pinned);
    let undecided = Desired { enabled: None, ..pinned };
    store.set_desired("blog", &undecided).await.unwrap();
    let all = store.all_desired().await.unwrap();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["auth", "blog"]);
    assert_eq!(all.get("blog"), Some(&undecided));
}

async fn the_last_report_of_a_node_counts(store: &dyn StateStore) {
    for state in [State::Loaded, State::Running] {
        store.report(&report("n2", "blog", state)).await.unwrap();
    }
    store.report(&report("n1", "blog", State::Failed)).await.unwrap();
    store.report(&report("n2", "auth", State::Quarantined)).await.unwrap();
    let expected = [
        report("n2", "auth", State::Quarantined),
        report("n1", "blog", State::Failed),
        report("n2", "blog", State::Running),
    ];
    assert_eq!(store.reports().await.unwrap(), expected);
}

async fn a_node_forgets_only_its_own_reports(store: &dyn StateStore) {
    store.forget_reports("n2").await.unwrap();
    assert_eq!(store.reports().await.unwrap(), [report("n1", "blog", State::Failed)]);
}

async fn the_last_beat_of_a_node_counts(store: &dyn StateStore) {
    let beat = |node: &str, second| NodeBeat {
        node: node.to_owned(),
        pid: 42,
        version: "0.1.0".to_owned(),
        started: at(1),
        at: at(second),
    };
    for b in [beat("n2", 5), beat("n1", 6), beat("n2", 9)] {
        store.beat(&b).await.unwrap();
    }
    assert_eq!(store.nodes().await.unwrap(), [beat("n1", 6), beat("n2", 9)]);
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}
