//! What authors and readers do, over HTTP and gRPC.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};
use wharf_proto::blog::v1 as pb;
use wharf_proto::blog::v1::posts_client::PostsClient;

use super::{Scene, Traffic, text};

/// Posts that were made, with the titles they must have.
#[derive(Debug, Default)]
pub(crate) struct Posts {
    kept: Mutex<Vec<(String, String)>>,
    published: AtomicI64,
}

impl Posts {
    /// Writes a post, gives it another title, publishes it and reads it.
    pub(crate) fn publish(&self, scene: &Scene, node: usize, name: &str) {
        let new = json!({ "title": format!("{name}: draft"), "body": "Some *text*.", "tags": ["load"] });
        let post = scene.made(node, "/blog/posts", &name.replace(' ', "-"), &new);
        let path = format!("/blog/drafts/{}", text(&post, "id"));
        // With one half, with two, and with the mark once more in the second.
        let title = match name.len() % 3 {
            0 => name.to_owned(),
            1 => format!("{name}: the end"),
            _ => format!("{name}: the end: really"),
        };
        let changed = json!({ "title": title, "body": "Other *text*.", "tags": ["load"] });
        let post = scene.ask(node, "PUT", &path, &[("if-match", &version(&post))], &changed);
        assert_eq!(text(&post, "title"), title);
        let post = scene.ask(
            node,
            "POST",
            &format!("{path}/publish"),
            &[("if-match", &version(&post))],
            &Value::Null,
        );
        self.published.fetch_add(1, Ordering::SeqCst);
        self.keep(&post, &title);
        // Whatever node is asked.
        let other = (node + 1) % scene.nodes.len();
        let shown = scene.get(other, &format!("/blog/posts/{}", text(&post, "slug")));
        assert_eq!(text(&shown, "title"), title);
    }

    /// What was published was counted once by analytics, and once as usage of its author.
    pub(crate) fn were_told_once(&self, scene: &Scene) {
        let published = self.published();
        scene.settle();
        for node in 0..scene.nodes.len() {
            assert_eq!(scene.totals(node, "blog.post.published").0, published, "analytics on node {node}");
        }
        let path = format!("/billing/subscriptions/{}/usage", scene.subscription);
        let used = scene.get(0, &path);
        assert_eq!(used, json!({ "features": [{ "feature": "posts", "quantity": published }] }));
    }

    /// How many were published.
    pub(crate) fn published(&self) -> i64 {
        self.published.load(Ordering::SeqCst)
    }

    fn keep(&self, post: &Value, title: &str) {
        let mut kept = self.kept.lock().unwrap();
        kept.push((text(post, "id").to_owned(), title.to_owned()));
    }

    fn over_grpc(&self, scene: &Scene, node: usize, name: &str) {
        let new = pb::CreatePostRequest {
            title: format!("{name}: over gRPC"),
            body: "Text".to_owned(),
            ..Default::default()
        };
        let title = new.title.clone();
        let made = scene.call(node, new, async |channel, request| PostsClient::new(channel).create(request).await);
        assert_eq!(made.title, title);
        self.kept.lock().unwrap().push((made.id, title));
        let list = pb::ListPostsRequest::default();
        let list = scene.call(node, list, async |channel, request| PostsClient::new(channel).list(request).await);
        assert!(list.posts.iter().all(|post| !post.title.is_empty()), "{list:?}");
    }
}

impl Traffic for Posts {
    fn round(&self, scene: &Scene, node: usize, client: usize, number: usize) {
        self.publish(scene, node, &format!("Client {client} round {number}"));
        self.over_grpc(scene, node, &format!("Client {client} call {number}"));
        for list in [
            "/blog/posts?page_size=5",
            "/blog/drafts?page_size=5",
            "/blog/search?q=text&page_size=5",
        ] {
            let items = scene.get(node, list)["items"].as_array().map_or(0, Vec::len);
            assert!(items > 0, "{list}");
        }
    }

    fn check(&self, scene: &Scene, version: &str) {
        let kept = self.kept.lock().unwrap();
        for (place, (id, title)) in kept.iter().enumerate() {
            let post = scene.get(place % scene.nodes.len(), &format!("/blog/drafts/{id}"));
            assert_eq!(text(&post, "title"), title);
            if version != "1.0.0" {
                let halves = title.split_once(": ").unwrap_or((title, ""));
                assert_eq!((text(&post, "headline"), text(&post, "subtitle")), halves, "{id}");
            }
        }
        self.were_told_once(scene);
    }
}

fn version(post: &Value) -> String {
    format!("\"{}\"", post["version"])
}
