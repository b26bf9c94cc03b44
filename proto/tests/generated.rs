//! The committed code and descriptor set are what the `.proto` files compile to.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;

use prost_reflect::{DescriptorPool, Value};
use wharf_proto::codegen::{CodegenError, Package};
use wharf_proto::options::v1::{POLICY_EXTENSION_NAME, POLICY_EXTENSION_NUMBER};
use wharf_proto::{DESCRIPTORS, PROTO_FILES};

#[test]
fn generated_code_is_current() {
    let files: Vec<&str> = PROTO_FILES.iter().map(|(name, _)| *name).collect();
    let package = Package::new(env!("CARGO_MANIFEST_DIR"), &files)
        .protos(".")
        .descriptors("src/gen/descriptors.bin");
    package.check().unwrap();
}

#[test]
fn the_extension_constants_are_those_of_the_descriptor_set() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let extension = pool.get_extension_by_name(POLICY_EXTENSION_NAME).unwrap();
    assert_eq!(extension.number(), POLICY_EXTENSION_NUMBER);
    assert_eq!(extension.containing_message().full_name(), "google.protobuf.MethodOptions");
}

#[test]
fn a_method_keeps_its_policy_in_the_descriptor_set() {
    let crate_folder = sample_crate("option (wharf.options.v1.policy) = { require: \"demo.admin\", rate_class: \"slow\" };");
    package(&crate_folder).update().unwrap();
    let pool = DescriptorPool::decode(fs::read(crate_folder.path().join("descriptors.bin")).unwrap().as_slice()).unwrap();
    let method = pool.get_service_by_name("demo.v1.Demo").unwrap().methods().next().unwrap();
    let extension = pool.get_extension_by_name(POLICY_EXTENSION_NAME).unwrap();
    let options = method.options();
    let policy = options.get_extension(&extension);
    let policy = policy.as_message().unwrap();
    assert_eq!(*policy.get_field_by_name("require").unwrap(), Value::String("demo.admin".into()));
    assert_eq!(*policy.get_field_by_name("rate_class").unwrap(), Value::String("slow".into()));
}

#[test]
fn well_known_types_are_those_of_prost_types() {
    let crate_folder = sample_crate("");
    let text = "syntax = \"proto3\"; package demo.v1; import \"google/protobuf/timestamp.proto\";\n\
                message Question { google.protobuf.Timestamp at = 1; }\n";
    fs::write(crate_folder.path().join("proto/demo/v1/demo.proto"), text).unwrap();
    package(&crate_folder).update().unwrap();
    let generated = fs::read_to_string(crate_folder.path().join("src/gen/demo.v1.rs")).unwrap();
    assert!(generated.contains("::prost_types::Timestamp"), "{generated}");
    assert_eq!(fs::read_dir(crate_folder.path().join("src/gen")).unwrap().count(), 1);
}

#[test]
fn missing_changed_and_left_over_files_are_out_of_date() {
    let crate_folder = sample_crate("");
    assert_eq!(out_of_date(&crate_folder), ["descriptors.bin", "src/gen/demo.v1.rs"]);
    package(&crate_folder).update().unwrap();
    package(&crate_folder).compare().unwrap();

    fs::write(crate_folder.path().join("src/gen/demo.v0.rs"), "").unwrap();
    fs::write(crate_folder.path().join("src/gen/demo.v1.rs"), "// by hand").unwrap();
    assert_eq!(out_of_date(&crate_folder), ["src/gen/demo.v0.rs", "src/gen/demo.v1.rs"]);
    package(&crate_folder).update().unwrap();
    package(&crate_folder).compare().unwrap();
}

#[test]
fn a_mistake_in_a_proto_file_is_named_with_its_place() {
    let crate_folder = sample_crate("option (wharf.options.v1.policy) = { requires: \"demo.admin\" };");
    let error = package(&crate_folder).compare().unwrap_err().to_string();
    assert!(
        error.contains("demo/v1/demo.proto:2:") && error.contains("wharf.options.v1.policy"),
        "{error}"
    );
}

fn sample_crate(option: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let protos = folder.path().join("proto/demo/v1");
    fs::create_dir_all(&protos).unwrap();
    let text = format!(
        "syntax = \"proto3\"; package demo.v1; import \"wharf/options/v1/policy.proto\";\n\
         service Demo {{ rpc Ask(Question) returns (Question) {{ {option} }} }}\n\
         message Question {{ string text = 1; }}\n"
    );
    fs::write(protos.join("demo.proto"), text).unwrap();
    folder
}

fn package(folder: &tempfile::TempDir) -> Package {
    Package::new(folder.path(), &["demo/v1/demo.proto"])
}

fn out_of_date(folder: &tempfile::TempDir) -> Vec<String> {
    match package(folder).compare() {
        Err(CodegenError::OutOfDate(paths)) => paths.iter().map(|path| path.display().to_string()).collect(),
        other => panic!("expected stale files, found {other:?}"),
    }
}
