//! The committed code and descriptor set are what `proto/greeter/v1/greeter.proto` compiles to.
#![allow(clippy::unwrap_used, reason = "tests")]

#[test]
fn generated_code_is_current() {
    wharf_proto::codegen::Package::new(env!("CARGO_MANIFEST_DIR"), &["greeter/v1/greeter.proto"])
        .check()
        .unwrap();
}
