//! Every check of the module.

use serde_json::Value;

use crate::rig;

#[tokio::test]
async fn whatever_sea_orm_can_works_through_the_host() {
    for host in rig::hosts().await {
        let answer = host.get("/shop/checks").await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let checks: Vec<Value> = answer.json();
        assert!(checks.len() >= 33, "{} checks", checks.len());
        let failed: Vec<String> = checks
            .iter()
            .filter(|check| !check["error"].is_null())
            .map(|check| format!("{} : {}", check["name"], check["error"]))
            .collect();
        assert!(
            failed.is_empty(),
            "{} of {} checks failed:\n{}",
            failed.len(),
            checks.len(),
            failed.join("\n")
        );
        rig::until(&rig::space(&host).await, "something was left open", rig::is_free).await;
        assert_eq!(host.stop().await, [""; 0]);
    }
}

#[tokio::test]
async fn errors_of_the_database_become_answers() {
    let host = rig::linked().await;
    assert_eq!(host.request(rig::post("/shop/customers/ada")).await.text(), "added");
    assert_eq!(host.request(rig::post("/shop/customers/ada")).await.status, 409);
}

#[tokio::test]
async fn a_result_is_streamed_into_the_response_body() {
    for host in rig::hosts().await {
        for n in 0..600 {
            assert_eq!(host.request(rig::post(&format!("/shop/customers/{n:04}"))).await.status, 200);
        }
        let text = host.get("/shop/emails").await.text();
        assert_eq!(text.lines().count(), 600);
        rig::until(&rig::space(&host).await, "the stream was left open", rig::is_free).await;
    }
}
