//! Instances stay apart: the SDK has no process-wide state (invariant 10).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::task::JoinSet;
use wharf_testing::TestHost;

use crate::library::library;

const INSTANCES: usize = 8;
const CALLS: usize = 25;

/// Calls every host at once, many times, and checks that each answers with its own config, counts its own calls and logs
/// under its own instance.
async fn stay_apart(hosts: Vec<TestHost>) {
    let hosts: Vec<Arc<TestHost>> = hosts.into_iter().map(Arc::new).collect();
    let mut calls = JoinSet::new();
    for (index, host) in hosts.iter().enumerate() {
        for call in 0..CALLS {
            let host = host.clone();
            calls.spawn(async move {
                let name = "x".repeat(call + 1);
                let answer = host.get(&format!("/greeter/hello/{name}")).await;
                assert_eq!(answer.text(), format!("{{\"message\":\"Word {index}, {name}!\"}}"));
                let id = answer.header("x-request-id").unwrap().to_owned();
                let event = host
                    .logs()
                    .wait_for(Duration::from_secs(10), |e| e.request_id.as_deref() == Some(&id))
                    .await
                    .unwrap();
                assert_eq!(event.fields["name.length"], call as u64 + 1);
            });
        }
    }
    while let Some(done) = calls.join_next().await {
        done.unwrap();
    }
    let mut instances = BTreeSet::new();
    for host in &hosts {
        let status = host.status("greeter");
        assert_eq!((status.calls, status.errors), (CALLS as u64, 0));
        let events = host.logs().events();
        assert_eq!(events.iter().filter(|e| e.message == "greeting somebody").count(), CALLS);
        assert!(
            events.iter().all(|e| e.instance == Some(status.instance)),
            "events of another instance"
        );
        instances.insert(status.instance);
    }
    assert_eq!(instances.len(), hosts.len());
}

fn host(index: usize) -> wharf_testing::Builder {
    TestHost::builder().config("greeter", json!({ "greeting": format!("Word {index}") }))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn eight_instances_linked_into_one_program_stay_apart() {
    let mut hosts = Vec::new();
    for index in 0..INSTANCES {
        hosts.push(host(index).module(greeter::root()).start().await);
    }
    stay_apart(hosts).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_module_linked_in_and_loaded_side_by_side_stays_apart() {
    let linked = host(0).module(greeter::root()).start().await;
    let loaded = host(1).library(library("greeter")).start().await;
    assert_eq!(
        (linked.status("greeter").generation, loaded.status("greeter").hash.is_some()),
        (0, true)
    );
    stay_apart(vec![linked, loaded]).await;
}
