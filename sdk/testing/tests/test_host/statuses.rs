//! What the statuses of modules say while many ask.

use std::time::Duration;

use wharf_testing::{State, TestHost};

/// How often each asks; with fewer two hardly ever meet.
const TIMES: usize = 2000;

#[tokio::test(flavor = "multi_thread")]
async fn statuses_of_modules_that_need_each_other_are_told_to_many_at_once() {
    let host = TestHost::builder()
        .module(relay_module::root())
        .module(greeter::root())
        .start()
        .await;
    let asking = tokio::task::spawn_blocking(move || {
        std::thread::scope(|scope| {
            for id in ["relay", "greeter", "relay", "greeter"] {
                let host = &host;
                scope.spawn(move || {
                    for _ in 0..TIMES {
                        let status = host.status(id);
                        assert_eq!((status.state, status.degraded), (State::Running, Vec::new()));
                    }
                });
            }
        });
        host
    });
    let host = tokio::time::timeout(Duration::from_secs(30), asking)
        .await
        .expect("those who asked wait for each other")
        .unwrap();
    assert_eq!(host.status("relay").requires, ["greeter"]);
}
