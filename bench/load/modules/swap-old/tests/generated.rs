//! The committed code and descriptor set are what `proto/swap/v1/swap.proto` compiles to, in both builds.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::path::Path;

#[test]
fn generated_code_is_current_in_both_builds() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    wharf_proto::codegen::Package::new(own, &["swap/v1/swap.proto"]).check().unwrap();
    let (old, new) = (own.join("descriptors.bin"), own.join("../swap-new/descriptors.bin"));
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::copy(&old, &new).unwrap();
    }
    assert!(
        fs::read(&old).unwrap() == fs::read(&new).unwrap(),
        "{} is not that of swap-old: run this test with UPDATE=1",
        new.display()
    );
}
