//! Stage 3: libraries that are wrong as object files.

use wharf_host::modules::inspect::{InspectRules, inspect};
use wharf_host::modules::os::{Format, Machine, Target};
use wharf_manifest::{MAX_JSON, encode_section};

use super::fixture::{Library, codes, good, manifest};

/// Offsets in the ELF header.
const CLASS: usize = 4;
const DATA: usize = 5;
const TYPE: usize = 16;
const MACHINE: usize = 18;

fn module() -> Library {
    Library::with(&manifest("good", "1.2.3"))
}

fn section() -> Vec<u8> {
    encode_section(&manifest("good", "1.2.3"), &[]).unwrap()
}

fn patched(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut bytes = good();
    change(&mut bytes);
    bytes
}

/// Offset of the program header of this type.
fn segment(bytes: &[u8], wanted: u32, skip: usize) -> usize {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let start = usize::try_from(word(32)).unwrap();
    let count = usize::from(u16::from_le_bytes([bytes[56], bytes[57]]));
    let all = (0..count).map(|index| start + index * 56);
    let mut fits = all.filter(|at| bytes[*at..*at + 4] == wanted.to_le_bytes());
    fits.nth(skip).expect("a segment of this type")
}

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_GNU_STACK: u32 = 0x6474_e551;

#[test]
fn a_good_library_gives_manifest_and_build_id() {
    let inspected = inspect(&good(), &InspectRules::default()).unwrap();
    assert_eq!(inspected.manifest, manifest("good", "1.2.3"));
    assert_eq!(inspected.build_id.map(|id| id.len()), Some(20));
    assert!(inspected.descriptors.is_empty());
    assert!(inspected.needed.is_empty());
}

#[test]
fn a_library_of_the_system_is_allowed_and_others_when_listed() {
    let mut library = module();
    library.kind = ["-shared", "-fPIC"].map(String::from).into();
    library.code = "#include <stdio.h>\nvoid say(void) { puts(\"\"); }".into();
    let inspected = inspect(&library.build(), &InspectRules::default()).unwrap();
    assert_eq!(inspected.needed, ["libc.so.6"]);

    let other = needing_another();
    let rules = InspectRules {
        allow_libraries: vec!["libother.so".into()],
        ..InspectRules::default()
    };
    assert_eq!(inspect(&other, &rules).unwrap().needed, ["libother.so"]);
}

/// A module that is linked to a library of its own making.
fn needing_another() -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let mut other = Library::with(&manifest("other", "1.0.0")).arguments(&["-Wl,-soname,libother.so"]);
    other.sections.clear();
    let path = folder.path().join("libother.so");
    std::fs::write(&path, other.build()).unwrap();
    module().arguments(&["-Wl,--no-as-needed", path.to_str().unwrap()]).build()
}

#[test]
fn what_is_wrong_with_a_library_has_a_code_of_its_own() {
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("inspect.not-object", b"#!/bin/sh\necho no library here\n".to_vec()),
        ("inspect.not-object", Vec::new()),
        (
            "inspect.not-object",
            b"MZ\x90\0 a program of another system, long enough to be looked at ......".to_vec(),
        ),
        ("inspect.truncated", good()[..40].to_vec()),
        ("inspect.truncated", good()[..200].to_vec()),
        ("inspect.truncated", good()[..good().len() - 1].to_vec()),
        (
            "inspect.truncated",
            patched(|b| {
                let at = segment(b, PT_LOAD, 1);
                b[at + 32..at + 40].copy_from_slice(&0x10_0000_u64.to_le_bytes());
                b[at + 40..at + 48].copy_from_slice(&0x10_0000_u64.to_le_bytes());
            }),
        ),
        (
            "inspect.malformed",
            patched(|b| {
                let at = segment(b, PT_LOAD, 0);
                b[at + 40..at + 48].fill(0);
            }),
        ),
        (
            "inspect.malformed",
            patched(|b| {
                let at = segment(b, PT_LOAD, 0);
                b[at + 8..at + 16].fill(0xff);
            }),
        ),
        (
            "inspect.malformed",
            patched(|b| {
                let at = segment(b, PT_DYNAMIC, 0);
                b[at..at + 4].fill(0);
            }),
        ),
        ("inspect.wrong-format", super::macho::Dylib::good().build()),
        (
            "inspect.wrong-format",
            vec![0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        ("inspect.wrong-class", patched(|b| b[CLASS] = 1)),
        ("inspect.wrong-class", patched(|b| b[DATA] = 2)),
        (
            "inspect.wrong-machine",
            patched(|b| b[MACHINE..MACHINE + 2].copy_from_slice(&243_u16.to_le_bytes())),
        ),
        ("inspect.not-shared", patched(|b| b[TYPE] = 2)),
        (
            "inspect.not-shared",
            Library {
                kind: vec!["-c".into()],
                ..module()
            }
            .build(),
        ),
        (
            "inspect.not-shared",
            Library {
                kind: ["-pie", "-fPIE", "-nostdlib"].map(String::from).into(),
                code: "void _start(void) {}".into(),
                ..module()
            }
            .build(),
        ),
        (
            "inspect.no-manifest",
            Library {
                sections: Vec::new(),
                ..module()
            }
            .build(),
        ),
        (
            "inspect.two-manifests",
            Library::with_section("wharf_root_v1_good", [section(), section()].concat()).build(),
        ),
        ("inspect.two-manifests", two_sections()),
        (
            "inspect.manifest-damaged",
            Library::with_section("wharf_root_v1_good", b"not a manifest".to_vec()).build(),
        ),
        (
            "inspect.manifest-damaged",
            Library::with_section("wharf_root_v1_good", section()[..60].to_vec()).build(),
        ),
        ("inspect.manifest-format", with_section(|section| section[7] = 9)),
        (
            "inspect.manifest-oversized",
            with_section(|section| section[8..12].copy_from_slice(&u32::try_from(MAX_JSON + 1).unwrap().to_le_bytes())),
        ),
        ("manifest.not-json", with_section(|section| section[16] = b'!')),
        (
            "inspect.root-symbol",
            Library {
                exports: vec!["wharf_root_v1_other".into()],
                ..module()
            }
            .build(),
        ),
        (
            "inspect.root-symbol",
            Library {
                exports: Vec::new(),
                code: "static const int wharf_root_v1_good __attribute__((used)) = 1;".into(),
                ..module()
            }
            .build(),
        ),
        ("inspect.needed-library", needing_another()),
        (
            "inspect.run-path",
            module().arguments(&["-Wl,--disable-new-dtags,-rpath,/tmp/evil"]).build(),
        ),
        (
            "inspect.run-path",
            module().arguments(&["-Wl,--enable-new-dtags,-rpath,$ORIGIN"]).build(),
        ),
        ("inspect.executable-stack", module().arguments(&["-Wl,-z,execstack"]).build()),
        (
            "inspect.executable-stack",
            patched(|b| {
                let at = segment(b, PT_GNU_STACK, 0);
                b[at..at + 4].fill(0);
            }),
        ),
        (
            "inspect.writable-code",
            patched(|b| {
                let at = segment(b, PT_LOAD, 0);
                b[at + 4] = 7;
            }),
        ),
    ];
    for (index, (code, bytes)) in cases.iter().enumerate() {
        match inspect(bytes, &InspectRules::default()) {
            Ok(_) => panic!("case {index}: expected {code}, found nothing wrong"),
            Err(findings) => assert_eq!(codes(&findings), [*code], "case {index}: {findings:?}"),
        }
    }
}

fn with_section(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut section = section();
    change(&mut section);
    Library::with_section("wharf_root_v1_good", section).build()
}

/// Two sections of the same name, which no linker makes: a second one is renamed afterwards.
fn two_sections() -> Vec<u8> {
    let mut library = module();
    library.sections.push((".wharf.manifesX".into(), section()));
    let mut bytes = library.build();
    let name = b".wharf.manifesX\0";
    let at = bytes
        .windows(name.len())
        .position(|window| window == name)
        .expect("the name of the section");
    bytes[at + name.len() - 2] = b't';
    bytes
}

#[test]
fn everything_wrong_in_one_library_is_reported_at_once() {
    let mut library = module().arguments(&["-Wl,-rpath,/tmp/evil", "-Wl,-z,execstack"]);
    library.exports.clear();
    let findings = inspect(&library.build(), &InspectRules::default()).unwrap_err();
    assert_eq!(
        codes(&findings),
        ["inspect.run-path", "inspect.executable-stack", "inspect.root-symbol"]
    );
    assert!(findings.iter().all(|finding| finding.module.as_deref() == Some("good")));
    let root = &findings[2];
    assert_eq!(root.what, "expected the exported symbol wharf_root_v1_good, found none");
}

#[test]
fn a_library_for_another_target_is_told_apart() {
    let target = Target {
        format: Format::MachO,
        machine: Machine::Aarch64,
    };
    let findings = inspect(
        &good(),
        &InspectRules {
            target,
            ..InspectRules::default()
        },
    )
    .unwrap_err();
    assert_eq!(codes(&findings), ["inspect.wrong-format"]);
    assert_eq!(findings[0].what, "found an ELF file, expected Mach-O aarch64");
}
