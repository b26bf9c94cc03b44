//! The committed descriptor set is what the `.proto` files of this API compile to.
#![allow(clippy::unwrap_used, reason = "tests")]

#[test]
fn descriptors_are_current() {
    wharf_proto::codegen::Package::new(env!("CARGO_MANIFEST_DIR"), &["wharf/blog/v1/blog.proto"])
        .protos("../../proto")
        .descriptors_only()
        .check()
        .unwrap();
}
