//! Refused calls, for the audit log.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use wharf_host::security::denials::DenialLog;

use crate::rig::Rig;
use crate::signer::claims;

#[tokio::test]
async fn refused_calls_are_counted_by_caller_and_route_template() {
    let log = Arc::new(DenialLog::new());
    let listener = log.clone();
    let rig = Rig::with(Duration::from_secs(60), |gateway| gateway.with_denials(listener)).await;
    let token = rig.signer.sign(&claims("other", json!({})));
    for id in 0..5 {
        rig.get(&format!("/notes/read/{id}"), Some(&token)).await;
        rig.get(&format!("/notes/read/{id}"), None).await;
        rig.get("/notes/known", Some("secret-canary")).await;
        rig.get("/notes/public", None).await;
    }
    let mut taken = log.take(Timestamp::now(), true);
    taken.sort_by(|a, b| (a.status, &a.route).cmp(&(b.status, &b.route)));
    let rows: Vec<_> = taken
        .iter()
        .map(|row| (row.subject.as_str(), row.route.as_str(), row.status, row.count))
        .collect();
    // A minute may have ended in between.
    let total: u32 = rows.iter().map(|row| row.3).sum();
    assert_eq!(total, 15, "{rows:?}");
    for row in [
        ("anonymous", "GET /notes/known", 401),
        ("anonymous", "GET /notes/read/{id}", 401),
        ("user:other", "GET /notes/read/{id}", 403),
    ] {
        assert!(
            rows.iter().any(|(subject, route, status, _)| (*subject, *route, *status) == row),
            "{rows:?}"
        );
    }
    assert!(!format!("{taken:?}").contains("canary"), "{taken:?}");
}
