//! Blobs of a module with the real binary: quotas, and how much memory a large one takes.

use serde_json::Value;
use wharf_tests::blobs::move_large;
use wharf_tests::{Answer, ServerOptions, TestServer, send};

const KIB: usize = 1024;
/// The large blob, in MiB; a GiB goes through `make test-servers`.
const LARGE: u64 = 256;
/// What it may take of anonymous memory, in KiB: pieces on their way, and what the allocator keeps of them. Mostly it is less than one
/// MiB.
const MOST: u64 = 16 * 1024;

fn put(server: &TestServer, name: &str, size: usize) -> Answer {
    server.send("PUT", &format!("/depot/blobs/{name}"), &[], &vec![b'x'; size])
}

fn row(server: &TestServer) -> Value {
    let ran = server.wharf(&["blobs", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let rows: Vec<Value> = serde_json::from_str(&ran.out).unwrap();
    rows.into_iter().find(|row| row["module"] == "depot").unwrap()
}

#[test]
fn a_module_keeps_no_more_than_its_quota_and_what_it_deletes_makes_room() {
    let mut server = TestServer::start(ServerOptions {
        modules: &["depot_module"],
        config: "[blobs.quota_of]\ndepot = \"100 KiB\"\n",
        ..ServerOptions::default()
    });
    assert_eq!(put(&server, "a", 60 * KIB).status, 200);
    let refused = put(&server, "b", 60 * KIB);
    assert_eq!(refused.status, 507, "{refused:?}");
    assert_eq!(refused.json()["code"], "full", "{refused:?}");
    let metrics = send(server.management(), "GET", "/metrics", &[], &[]).unwrap().body;
    for line in [
        "wharf_blobs_used_bytes{module=\"depot\"} 61440",
        "wharf_blobs_quota_bytes{module=\"depot\"} 102400",
    ] {
        assert!(metrics.contains(line), "{line} is not in:\n{metrics}");
    }
    assert_eq!(server.get("/depot/blobs/b").status, 404, "nothing of it is there");
    assert_eq!(put(&server, "b", 40 * KIB).status, 200);
    let full = row(&server);
    assert_eq!(
        (&full["blobs"], &full["bytes"], &full["quota_bytes"]),
        (&2.into(), &(100 * KIB).into(), &(100 * KIB).into())
    );
    assert!(server.wharf(&["blobs"]).out.contains("100 KiB"));

    server.restart();
    assert_eq!(put(&server, "c", 1).status, 507, "what was there counts after a restart");
    assert_eq!(server.send("DELETE", "/depot/blobs/a", &[], &[]).status, 200);
    assert_eq!(put(&server, "c", 60 * KIB).status, 200);
}

#[test]
fn a_large_blob_goes_up_and_comes_down_in_a_memory_that_does_not_grow_with_it() {
    let server = TestServer::start(ServerOptions {
        modules: &["depot_module"],
        config: "[http]\nmax_body_bytes = \"2 GiB\"\n",
        ..ServerOptions::default()
    });
    let memory = move_large(&server, LARGE);
    assert!(memory.growth() < MOST, "{} KiB for {LARGE} MiB: {memory:?}", memory.growth());
}
