//! A module that is swapped while requests run; `cargo run --release -p wharf-load -- reload` is the same at full size.

use wharf_load::reload::{Plan, run};
use wharf_tests::{libraries, wharf_binary};

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_a_module_is_swapped() {
    let report = run(Plan {
        wharf: wharf_binary().to_owned(),
        libraries: libraries().to_owned(),
        requests: 5000,
        reloads: 6,
        clients: 8,
        drain_ms: 1000,
        watch: false,
    })
    .await
    .unwrap();
    assert_eq!(report.failed, 0, "{report}");
    assert!(report.requests >= 5000 && report.reloads == 6, "{report}");
    assert!(report.drained_streams > 0, "no stream of a replaced instance was cut:\n{report}");
}
