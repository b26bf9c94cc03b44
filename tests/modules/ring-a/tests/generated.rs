//! The committed code and descriptor sets are what `proto/ring/v1/ring.proto` compiles to, in both modules.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

#[test]
fn generated_code_is_current_in_both_modules() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    wharf_proto::codegen::Package::new(own, &["ring/v1/ring.proto"]).check().unwrap();
    let (left, right) = (own.join("descriptors.bin"), own.join("../ring-b/descriptors.bin"));
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::copy(&left, &right).unwrap();
    }
    assert!(
        fs::read(&left).unwrap() == fs::read(&right).unwrap(),
        "{} is not that of ring-a: run this test with UPDATE=1",
        right.display()
    );
}
