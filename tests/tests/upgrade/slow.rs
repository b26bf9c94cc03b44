//! A request whose body comes so slowly that the instance which got it is replaced meanwhile.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::{SOON, Scene, text};

/// A post that is being changed, and how.
pub(crate) struct SlowChange {
    /// Where the draft is.
    pub(crate) path: String,
    stream: TcpStream,
    rest: Vec<u8>,
}

impl SlowChange {
    /// Makes a post and begins to give it another title. Returns when the module has the request.
    pub(crate) fn begin(scene: &Scene, node: usize, title: &str) -> Self {
        let post = scene.made(node, "/blog/posts", "slow", &json!({ "title": "Before", "body": "Text" }));
        let path = format!("/blog/drafts/{}", text(&post, "id"));
        let body = json!({ "title": title, "body": "Text" }).to_string();
        let mut stream = TcpStream::connect(scene.nodes[node].http()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        write!(
            stream,
            "PUT {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
             If-Match: *\r\nContent-Length: {}\r\n\r\n{}",
            scene.ada.token,
            body.len(),
            &body[..10],
        )
        .unwrap();
        scene.nodes[node].wait_for_module("blog", "the call in flight", |status| status["in_flight"].as_u64() >= Some(1));
        Self {
            path,
            stream,
            rest: body.as_bytes()[10..].to_vec(),
        }
    }

    /// Sends the rest of it. Gives what the instance answered that began with it.
    pub(crate) fn end(mut self) -> Value {
        self.stream.write_all(&self.rest).unwrap();
        let mut answer = String::new();
        self.stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let body = answer.find('{').zip(answer.rfind('}')).map(|(from, to)| &answer[from..=to]);
        serde_json::from_str(body.unwrap_or_default()).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }
}
