//! `buf`, an independent protobuf compiler, reads the `.proto` files as protox does.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_types::{FileDescriptorProto, FileDescriptorSet};
use wharf_tests::root;

const COMMITTED: [&str; 2] = ["proto/src/gen/descriptors.bin", "plugins/greeter/descriptors.bin"];

#[test]
fn buf_compiles_the_committed_descriptor_sets() {
    let built = descriptors(&buf());
    for committed in COMMITTED {
        for (name, file) in descriptors(&committed_set(committed)) {
            assert_eq!(built.get(&name), Some(&file), "{name}");
        }
    }
}

#[test]
fn buf_gives_every_method_the_committed_policy() {
    let built = policies(&buf());
    let mut committed = BTreeMap::new();
    for set in COMMITTED {
        committed.append(&mut policies(&committed_set(set)));
    }
    assert!(committed.contains_key("greeter.v1.Greeter.Hello"), "{committed:?}");
    assert_eq!(built, committed);
}

fn committed_set(path: &str) -> Vec<u8> {
    fs::read(root().join(path)).expect("it is committed")
}

fn buf() -> Vec<u8> {
    let config = r#"{"version": "v2", "modules": [{"path": "proto"}, {"path": "plugins/greeter/proto"}]}"#;
    let output = Command::new("buf")
        .args(["build", "--exclude-source-info", "--config", config, "-o", "-#format=binpb"])
        .current_dir(root())
        .output()
        .unwrap_or_else(|error| panic!("cannot run buf: {error}; make test-servers installs it"));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The files of a set by name, without what two compilers may say differently: Google's own files are
/// those each compiler ships.
fn descriptors(bytes: &[u8]) -> BTreeMap<String, FileDescriptorProto> {
    let set = FileDescriptorSet::decode(bytes).expect("a descriptor set");
    let own = set.file.into_iter().filter(|file| !file.name().starts_with("google/"));
    own.map(|file| (file.name().to_owned(), file)).collect()
}

/// The policy of every method by the method's full name, as text.
fn policies(bytes: &[u8]) -> BTreeMap<String, String> {
    let pool = DescriptorPool::decode(bytes).expect("a descriptor set");
    let extension = pool.get_extension_by_name("wharf.options.v1.policy").expect("the option");
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    methods
        .map(|method| {
            (
                method.full_name().to_owned(),
                format!("{:?}", method.options().get_extension(&extension)),
            )
        })
        .collect()
}
