//! Stage 4: manifests that do not fit this host.

use prost_reflect::prost::Message;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};
use serde_json::{Value, json};
use wharf_host::modules::plan::check_file;
use wharf_host::modules::verify::{VerifyContext, check_manifest};
use wharf_manifest::{Abi, Manifest, Panic, encode_section};

use super::fixture::{Library, Plugins, codes, context, manifest, manifest_from};

fn greeter(more: &str) -> Manifest {
    manifest_from(&format!("id = \"greeter\"\nversion = \"1.0.0\"\ndescription = \"Greets\"\n{more}"))
}

fn check(manifest: &Manifest, descriptors: &[u8]) -> Vec<String> {
    codes(&check_manifest(manifest, descriptors, &context()))
        .into_iter()
        .map(str::to_owned)
        .collect()
}

fn descriptors(package: &str, service: &str) -> Vec<u8> {
    let service = ServiceDescriptorProto {
        name: Some(service.into()),
        ..ServiceDescriptorProto::default()
    };
    let file = FileDescriptorProto {
        name: Some("greeter.proto".into()),
        package: Some(package.into()),
        service: vec![service],
        syntax: Some("proto3".into()),
        ..FileDescriptorProto::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[test]
fn an_abi_that_does_not_fit_is_too_new_or_too_old() {
    let on = |host: Abi, module: Abi| {
        let context = VerifyContext { abi: host, ..context() };
        let findings = check_manifest(
            &Manifest {
                abi: module,
                ..greeter("")
            },
            &[],
            &context,
        );
        codes(&findings).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let abi = |major, minor, draft| Abi { major, minor, draft };
    assert_eq!(on(abi(1, 0, true), abi(1, 0, true)), [""; 0]);
    assert_eq!(on(abi(1, 0, true), abi(1, 0, false)), ["manifest.abi-too-new"]);
    assert_eq!(on(abi(1, 2, false), abi(1, 3, false)), ["manifest.abi-too-new"]);
    assert_eq!(on(abi(1, 2, false), abi(2, 0, false)), ["manifest.abi-too-new"]);
    assert_eq!(on(abi(2, 0, false), abi(1, 9, false)), ["manifest.abi-too-old"]);
    assert_eq!(on(abi(1, 2, false), abi(1, 1, false)), [""; 0]);
}

#[test]
fn imports_this_host_does_not_have_are_refused() {
    assert_eq!(check(&greeter("[services]\nconfig = 1\nlog = 2\n"), &[]), [""; 0]);
    assert_eq!(check(&greeter("[services]\nteleport = 1\n"), &[]), ["manifest.service-unknown"]);
    assert_eq!(
        check(&greeter("[services]\nlog = 3\nconfig = 2\n"), &[]),
        ["manifest.service-major"; 2]
    );
}

#[test]
fn grpc_services_must_be_in_the_descriptor_set() {
    let manifest = greeter("[grpc]\nservices = [\"greeter.v1.Greeter\"]\ndescriptors = \"d.bin\"\n");
    assert_eq!(check(&manifest, &descriptors("greeter.v1", "Greeter")), [""; 0]);
    assert_eq!(check(&manifest, &descriptors("greeter.v1", "Other")), ["manifest.grpc-undescribed"]);
    assert_eq!(check(&manifest, &[]), ["manifest.grpc-undescribed"]);
    assert_eq!(check(&manifest, b"\xff\xff\xff"), ["manifest.descriptors-malformed"]);
    assert_eq!(check(&greeter(""), b"\xff\xff\xff"), ["manifest.descriptors-malformed"]);
}

#[test]
fn no_damage_to_a_descriptor_set_makes_checking_panic() {
    let whole = descriptors("greeter.v1", "Greeter");
    let manifest = greeter("[grpc]\nservices = [\"greeter.v1.Greeter\"]\ndescriptors = \"d.bin\"\n");
    for at in 0..whole.len() {
        check(&manifest, &whole[..at]);
        for flip in [0x01, 0x08, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            check(&manifest, &bytes);
        }
    }
}

fn with_config(schema: Value, section: Option<Value>) -> Vec<(String, String)> {
    let manifest = Manifest {
        config_schema: Some(schema),
        ..greeter("")
    };
    let mut context = context();
    context.configs.extend(section.map(|section| ("greeter".to_owned(), section)));
    check_manifest(&manifest, &[], &context)
        .into_iter()
        .map(|finding| (finding.code, finding.what))
        .collect()
}

#[test]
fn every_wrong_value_of_the_configuration_is_named_by_its_path_and_never_shown() {
    let schema = json!({
        "type": "object",
        "properties": {
            "greeting": {"type": "string"},
            "limits": {"type": "object", "properties": {"names": {"type": "array", "items": {"type": "string"}}}},
        },
        "required": ["greeting"],
        "additionalProperties": false,
    });
    assert_eq!(with_config(schema.clone(), Some(json!({"greeting": "hi"}))), []);
    let found = with_config(
        schema.clone(),
        Some(json!({"greeting": 31337, "limits": {"names": ["a", 31337]}, "colour": "hunter2"})),
    );
    assert!(
        found
            .iter()
            .all(|(code, what)| code == "manifest.config" && !what.contains("31337") && !what.contains("hunter2")),
        "{found:?}"
    );
    let text = found.iter().map(|(_, what)| what.as_str()).collect::<Vec<_>>().join("\n");
    for path in ["modules.greeter.greeting: ", "modules.greeter.limits.names.1: ", "colour"] {
        assert!(text.contains(path), "{path} is not in {text}");
    }
    let absent = with_config(schema, None);
    assert_eq!(absent.len(), 1);
    assert!(absent[0].1.contains("greeting"), "{absent:?}");
}

#[test]
fn a_schema_that_is_none_and_a_section_nobody_reads_are_refused() {
    assert_eq!(
        with_config(json!({"type": "objekt"}), None)[0].0,
        "manifest.config-schema-malformed"
    );
    assert_eq!(
        with_config(json!({"$ref": "https://example.org/schema.json"}), None)[0].0,
        "manifest.config-schema-malformed"
    );
    let mut context = context();
    context.configs.insert("greeter".into(), json!({"a": 1}));
    assert_eq!(codes(&check_manifest(&greeter(""), &[], &context)), ["manifest.config-unexpected"]);
}

#[test]
fn the_rules_an_author_meets_hold_on_the_host_too() {
    type Change = fn(&mut Manifest);
    let cases: [(&str, Change); 8] = [
        ("manifest.panic-abort", |m| m.panic = Panic::Abort),
        ("manifest.abi", |m| m.abi.major = 0),
        ("manifest.prefix", |m| m.http.prefix = "/a/{id}".into()),
        ("manifest.description", |m| m.description.clear()),
        ("manifest.text", |m| m.authors = vec!["a\u{1b}[2J".into()]),
        ("manifest.module", |m| {
            drop(m.modules.insert(
                "good".into(),
                wharf_manifest::ModuleRequirement {
                    version: "*".parse().unwrap(),
                    optional: false,
                    permissions: Vec::new(),
                },
            ))
        }),
        ("manifest.grpc", |m| m.grpc.services = vec!["nope".into()]),
        ("manifest.config-schema", |m| m.config_schema = Some(json!(true))),
    ];
    let plugins = Plugins::new();
    for (code, change) in cases {
        let mut manifest = manifest("good", "1.0.0");
        change(&mut manifest);
        let path = plugins.put("libgood.so", &Library::with(&manifest).build());
        let report = check_file(&path, &context());
        assert!(codes(&report.findings).contains(&code), "{code}: {report}");
        assert_eq!(report.modules[0].id.as_deref(), Some("good"), "{code}");
    }
}

#[test]
fn a_malformed_manifest_in_a_library_names_every_key() {
    let mut json = serde_json::to_value(manifest("good", "1.0.0")).unwrap();
    json["colour\u{1b}[31m"] = json!("red");
    json["version"] = json!("one");
    json["modules"] = json!({"other": {"version": "not a range"}});
    let text = json.to_string();
    let mut section = encode_section(&manifest("good", "1.0.0"), &[]).unwrap();
    section.truncate(8);
    section.extend(u32::try_from(text.len()).unwrap().to_le_bytes());
    section.extend([0; 4]);
    section.extend(text.as_bytes());
    let plugins = Plugins::new();
    let path = plugins.put("libgood.so", &Library::with_section("wharf_root_v1_good", section).build());
    let report = check_file(&path, &context());
    let mut found = codes(&report.findings);
    found.sort_unstable();
    assert_eq!(found, ["manifest.range", "manifest.unknown-key", "manifest.version"]);
    assert!(!report.to_string().contains('\u{1b}'), "{report}");
}
