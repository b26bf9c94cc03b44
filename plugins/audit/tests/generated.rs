//! The committed descriptor set is what the `.proto` files of this API compile to.
#![allow(clippy::unwrap_used, reason = "tests")]

#[test]
fn descriptors_are_current() {
    let files = ["audit", "records"];
    let files = files.map(|file| format!("wharf/audit/v1/{file}.proto"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    wharf_proto::codegen::Package::new(env!("CARGO_MANIFEST_DIR"), &files)
        .protos("../../proto")
        .descriptors_only()
        .check()
        .unwrap();
}
