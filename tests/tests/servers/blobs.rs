//! A GiB up and down, through HTTP and a module, in a memory that does not grow with it; quotas in a bucket.

use wharf_tests::backends::{Backend, S3};
use wharf_tests::blobs::move_large;
use wharf_tests::{ServerOptions, TestServer};

/// MiB.
const LARGE: u64 = 1024;
/// Anonymous memory in KiB: pieces on their way, and what the allocator keeps of them.
const MOST_IN_A_DIRECTORY: u64 = 16 * 1024;
/// With a bucket there are parts of 8 MiB beside them: one that is filled, and two that are sent.
const MOST_IN_A_BUCKET: u64 = 96 * 1024;
const ROOM: (&str, &str) = ("WHARF_HTTP__MAX_BODY_BYTES", "2 GiB");

fn with_bucket(s3: &Backend, more: &[(&str, &str)]) -> TestServer {
    let settings = [
        ("WHARF_BLOBS__S3__ENDPOINT", s3.variable("WHARF_TEST_S3_URL")),
        ("WHARF_BLOBS__S3__BUCKET", s3.variable("WHARF_TEST_S3_BUCKET")),
        ("WHARF_BLOBS__S3__KEY", s3.variable("WHARF_TEST_S3_KEY")),
        ("WHARF_BLOBS__S3__SECRET", s3.variable("WHARF_TEST_S3_SECRET")),
    ];
    let mut environment: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    environment.extend([("WHARF_BLOBS__STORE", "s3"), ROOM]);
    environment.extend(more);
    TestServer::start(ServerOptions {
        modules: &["depot_module"],
        environment: &environment,
        ..ServerOptions::default()
    })
}

#[test]
fn a_gib_goes_through_a_directory_in_constant_memory() {
    let server = TestServer::start(ServerOptions {
        modules: &["depot_module"],
        environment: &[ROOM],
        ..ServerOptions::default()
    });
    let memory = move_large(&server, LARGE);
    assert!(memory.growth() < MOST_IN_A_DIRECTORY, "{} KiB: {memory:?}", memory.growth());
}

#[test]
fn a_gib_goes_through_a_bucket_in_constant_memory() {
    let s3 = Backend::start(S3);
    let server = with_bucket(&s3, &[]);
    let memory = move_large(&server, LARGE);
    assert!(memory.growth() < MOST_IN_A_BUCKET, "{} KiB: {memory:?}", memory.growth());
}

#[test]
fn a_quota_holds_in_a_bucket_and_counts_what_was_there() {
    let s3 = Backend::start(S3);
    let mut server = with_bucket(&s3, &[("WHARF_BLOBS__QUOTA", "100 KiB")]);
    let put = |server: &TestServer, name: &str, kib: usize| {
        server
            .send("PUT", &format!("/depot/blobs/{name}"), &[], &vec![b'x'; kib * 1024])
            .status
    };
    assert_eq!((put(&server, "a", 60), put(&server, "b", 60)), (200, 507));
    server.restart();
    assert_eq!(put(&server, "b", 60), 507, "what was there counts after a restart");
    assert_eq!(server.send("DELETE", "/depot/blobs/a", &[], &[]).status, 200);
    assert_eq!(put(&server, "b", 60), 200);
}
