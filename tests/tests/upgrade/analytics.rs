//! What programs that measure something do, over HTTP and gRPC, while authors publish and bookkeepers bill.

use std::sync::Mutex;

use serde_json::{Value, json};
use wharf_proto::analytics::v1 as pb;
use wharf_proto::analytics::v1::analytics_client::AnalyticsClient;

use super::{Customers, Posts, Scene, Traffic};

const METRIC: &str = "custom.load.done";
/// Events of one batch, each with the value 2.
const EACH: usize = 20;

/// Batches that were taken.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    pub(crate) posts: Posts,
    customers: Customers,
    taken: Mutex<Vec<Value>>,
}

impl Metrics {
    fn send(&self, scene: &Scene, node: usize, name: &str) {
        let event = |number: usize| {
            json!({ "metric": METRIC, "at": scene.now, "value": 2, "id": format!("{name}-{number}"),
                "dimensions": { "queue": format!("q{}", number % 3) } })
        };
        let batch = json!({ "events": (0..EACH).map(event).collect::<Vec<_>>() });
        let counted = scene.ask(node, "POST", "/analytics/events/batch", &[], &batch);
        assert_eq!(counted, json!({ "recorded": EACH, "duplicates": 0, "late": 0 }));
        // As a sender does that has lost the answer, to whatever node.
        again(scene, (node + 1) % scene.nodes.len(), &batch);
        self.taken.lock().unwrap().push(batch);
    }

    fn read(&self, scene: &Scene, node: usize, client: usize) {
        for path in ["totals?", "series?grain=hour&", "top?"] {
            scene.get(node, &format!("/analytics/{path}metric={METRIC}"));
        }
        let asked = pb::QueryRequest {
            metric: METRIC.to_owned(),
            grain: pb::Grain::Hour.into(),
            ..Default::default()
        };
        let series = scene.call(node, asked, async |channel, request| {
            AnalyticsClient::new(channel).query(request).await
        });
        assert!(!series.points.is_empty());
        // Two exports may be under way at a time.
        if client == 2 {
            let path = format!("/analytics/export.csv?metric={METRIC}&grain=minute");
            let csv = scene.ada.get(&scene.nodes[node], &path);
            assert_eq!(csv.status, 200, "{}", csv.body);
            // The total and three queues of the one minute, under a head.
            assert_eq!(csv.body.lines().count(), 5, "{}", csv.body);
        }
    }
}

impl Traffic for Metrics {
    fn round(&self, scene: &Scene, node: usize, client: usize, number: usize) {
        if client == 0 {
            return self.posts.publish(scene, node, &format!("Client {client} round {number}"));
        }
        if client == 1 {
            return self.customers.bill(scene, node, &format!("c{client}.{number}"));
        }
        self.send(scene, node, &format!("c{client}.{number}"));
        self.read(scene, node, client);
    }

    fn check(&self, scene: &Scene, version: &str) {
        let taken = self.taken.lock().unwrap();
        let events = i64::try_from(taken.len() * EACH).unwrap();
        // What either version has counted the one that runs now knows again.
        taken.iter().for_each(|batch| again(scene, 0, batch));
        for node in 0..scene.nodes.len() {
            assert_eq!(scene.totals(node, METRIC), (events, 2 * events), "on node {node}");
        }
        self.posts.were_told_once(scene);
        self.customers.were_told_once(scene);
        let second: &[&str] = match version {
            "1.0.0" => &[],
            _ => &["count-posts-v2", "count-invoices-v2"],
        };
        for subscription in ["count-posts", "count-invoices"].iter().chain(second) {
            let ran = scene.nodes[0].wharf(&["events", "replay", "analytics", subscription]);
            assert_eq!(ran.code, 0, "{ran:?}");
        }
        self.posts.were_told_once(scene);
        self.customers.were_told_once(scene);
    }
}

fn again(scene: &Scene, node: usize, batch: &Value) {
    let counted = scene.ask(node, "POST", "/analytics/events/batch", &[], batch);
    assert_eq!(counted, json!({ "recorded": 0, "duplicates": EACH, "late": 0 }));
}
