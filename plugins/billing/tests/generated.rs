//! The committed descriptor set is what the `.proto` file of this API compiles to.
#![allow(clippy::unwrap_used, reason = "tests")]

#[test]
fn descriptors_are_current() {
    wharf_proto::codegen::Package::new(env!("CARGO_MANIFEST_DIR"), &["wharf/billing/v1/billing.proto"])
        .protos("../../proto")
        .descriptors_only()
        .check()
        .unwrap();
}
