//! Two nodes of one installation.

use std::time::{Duration, Instant};

use wharf_host::modules::control::{Control as _, PinnedBuild};
use wharf_testing::{State, TestHost};

async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(1);
    while !is_so() {
        assert!(Instant::now() < deadline, "after a second: not {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn what_is_decided_on_one_node_happens_on_the_other_within_a_second() {
    let one = TestHost::builder().module(hoard::root()).start().await;
    let two = TestHost::builder().module(hoard::root()).beside(&one, "two").start().await;
    one.host().disable("hoard", false).await.unwrap();
    assert_eq!(one.status("hoard").state, State::Disabled);
    until("disabled", || two.status("hoard").state == State::Disabled).await;
    two.host().enable("hoard").await.unwrap();
    until("running", || one.status("hoard").state == State::Running).await;

    let runs = two.status("hoard");
    let pin = PinnedBuild {
        version: Some("7.0.0".to_owned()),
        hash: None,
    };
    one.host().pin("hoard", pin).await.unwrap();
    until("pinned", || two.status("hoard").desired.pinned_version.as_deref() == Some("7.0.0")).await;
    assert_eq!(two.status("hoard").instance, runs.instance, "a pin touches nothing that runs");
}
