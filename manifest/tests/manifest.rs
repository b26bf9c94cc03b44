//! Manifests as authors write them and as hosts find them.
//!
//! Long because every key has its cases beside those of the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use serde_json::json;
use wharf_manifest::{
    Abi, BuildInfo, MAX_DESCRIPTORS, MAX_JSON, Manifest, PROBLEM_KINDS, Panic, Problem, Runtime, SectionError, decode_section,
    encode_section, parse_toml,
};

const FULL: &str = r#"
id = "greeter"
version = "1.2.0"
description = "Greets people"
authors = ["A <a@example.org>"]
license = "MIT"
runtime = "none"

[modules]
identity = "^1.2"
audit = { version = "^1", optional = true }

[services]
config = 1
log = 1

[http]
prefix = "/greet"

[grpc]
services = ["greeter.v1.Greeter"]
descriptors = "descriptors.bin"

[[permissions]]
name = "greeter.greeting.write"
description = "Write greetings"

[events]
publishes = ["greeter.greeted.v1"]
subscribes = ["identity.user.created.v1"]

[[jobs]]
name = "cleanup"
description = "Removes old greetings"
schedule = "0 3 * * *"

[config]
schema = "config.schema.json"
"#;

const SMALL: &str = "id = \"a\"\nversion = \"1.0.0\"\ndescription = \"A\"\n";

fn build() -> BuildInfo {
    BuildInfo {
        abi: Abi {
            major: 1,
            minor: 0,
            draft: true,
        },
        sdk: "0.1.0".into(),
        rustc: "1.95.0".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        panic: Panic::Unwind,
    }
}

fn full() -> Manifest {
    parse_toml(FULL).unwrap().embed(Some(json!({"type": "object"})), build())
}

/// `(code, path)` of every problem.
fn pairs(problems: &[Problem]) -> Vec<(&str, &str)> {
    problems.iter().map(|problem| (problem.code, problem.path.as_str())).collect()
}

fn problems(text: &str) -> Vec<Problem> {
    parse_toml(text).expect_err("a wharf.toml with problems")
}

#[test]
fn every_key_of_a_full_wharf_toml_is_understood() {
    let source = parse_toml(FULL).unwrap();
    assert_eq!(source.grpc.descriptors.as_deref(), Some("descriptors.bin"));
    assert_eq!(source.config.schema.as_deref(), Some("config.schema.json"));
    let manifest = full();
    assert_eq!(manifest.check(), []);
    assert_eq!(manifest.runtime, Runtime::None);
    assert_eq!(manifest.http.prefix, "/greet");
    assert!(manifest.modules["audit"].optional);
    assert!(!manifest.modules["identity"].optional);
    assert!(manifest.modules["identity"].version.matches(&"1.3.0".parse().unwrap()));
    assert_eq!(manifest.services["log"], 1);
    assert_eq!(manifest.root_symbol(), "wharf_root_v1_greeter");
}

#[test]
fn what_is_left_out_has_its_default() {
    let manifest = parse_toml(SMALL).unwrap().embed(None, build());
    assert_eq!(manifest.http.prefix, "/a");
    assert_eq!(manifest.runtime, Runtime::Tokio);
    assert_eq!(manifest.config_schema, None);
    let dashed = parse_toml(&SMALL.replace("\"a\"", "\"hello-module\""))
        .unwrap()
        .embed(None, build());
    assert_eq!(dashed.root_symbol(), "wharf_root_v1_hello_module");
}

#[test]
fn all_problems_come_at_once_with_code_path_and_place() {
    let found = problems(
        r#"id = "Greeter"
version = "one"
description = ""
colour = "red"
authors = ["A\u001b[2J"]

[modules]
identity = "not a range"
audit = { version = "^x", optinal = true }

[services]
log = 0

[http]
prefix = "greeter/"

[grpc]
services = ["Greeter"]

[[permissions]]
name = "other.write"
description = "Write"

[events]
publishes = ["other.done.v1"]
subscribes = ["*"]

[[jobs]]
name = "cleanup"
description = "Cleans"
schedule = "0 3 * *"

[[jobs]]
name = "cleanup"
description = "Cleans"

[config]
schema = "../config.schema.json"
"#,
    );
    assert_eq!(
        pairs(&found),
        [
            ("manifest.id", "id"),
            ("manifest.version", "version"),
            ("manifest.description", "description"),
            ("manifest.unknown-key", "colour"),
            ("manifest.text", "authors[0]"),
            ("manifest.range", "modules.identity"),
            ("manifest.range", "modules.audit"),
            ("manifest.unknown-key", "modules.audit.optinal"),
            ("manifest.service", "services.log"),
            ("manifest.prefix", "http.prefix"),
            ("manifest.descriptors", "grpc.services"),
            ("manifest.grpc", "grpc.services[0]"),
            ("manifest.permission", "permissions[0].name"),
            ("manifest.subject", "events.publishes[0]"),
            ("manifest.subject", "events.subscribes[0]"),
            ("manifest.schedule", "jobs[0].schedule"),
            ("manifest.duplicate", "jobs[1].name"),
            ("manifest.path", "config.schema"),
        ]
    );
    let places: Vec<(usize, usize)> = found.iter().filter_map(|p| p.position).map(|at| (at.line, at.column)).collect();
    assert_eq!(places.len(), found.len());
    assert_eq!(places[0], (1, 1));
    assert_eq!(places[7], (9, 27), "{}", found[7]);
    assert_eq!(places[15], (31, 1), "{}", found[15]);
}

#[test]
fn a_problem_says_where_what_was_found_and_what_to_write() {
    let found = problems(&SMALL.replace("\"a\"", "\"A\\u007f\""));
    assert_eq!(
        found[0].to_string(),
        "line 1, column 1: id: found \"A\\u{7f}\", expected ^[a-z][a-z0-9-]{0,39}$; use 1 to 40 of a-z, 0-9 and -, beginning with a letter"
    );
}

#[test]
fn text_that_is_no_toml_is_reported_with_line_and_column() {
    let found = problems("id = \"a\"\nversion = \n");
    assert_eq!(found[0].code, "manifest.syntax");
    assert_eq!(found[0].position.map(|at| at.line), Some(2));
}

#[test]
fn missing_keys_and_wrong_types_name_their_path() {
    assert_eq!(
        pairs(&problems("id = \"a\"\nversion = \"1.0.0\"\n")),
        [("manifest.missing-key", "")]
    );
    assert!(problems("id = \"a\"\nversion = \"1.0.0\"\n")[0].message.contains("description"));
    assert_eq!(pairs(&problems(&format!("{SMALL}authors = 3\n"))), [("manifest.type", "authors")]);
    assert_eq!(
        pairs(&problems(&format!("{SMALL}runtime = \"smol\"\n"))),
        [("manifest.type", "runtime")]
    );
    assert_eq!(
        pairs(&problems(&format!("{SMALL}[services]\nlog = -1\n"))),
        [("manifest.type", "services.log")]
    );
    assert_eq!(
        pairs(&problems(&format!("{SMALL}[modules]\naudit = 1\n"))),
        [("manifest.type", "modules.audit")]
    );
}

#[test]
fn a_prefix_the_host_needs_is_refused_even_as_the_default() {
    assert_eq!(
        pairs(&problems(&SMALL.replace("\"a\"", "\"metrics\""))),
        [("manifest.prefix", "http.prefix")]
    );
}

#[test]
fn names_of_jobs_and_core_services_are_lower_case_words() {
    let job = "[[jobs]]\nname = \"Clean up\"\ndescription = \"Cleans\"\n";
    assert_eq!(pairs(&problems(&format!("{SMALL}{job}"))), [("manifest.job", "jobs[0].name")]);
    assert_eq!(
        pairs(&problems(&format!("{SMALL}[services]\nLog = 1\n"))),
        [("manifest.service", "services.Log")]
    );
}

#[test]
fn a_module_that_requires_itself_or_no_module_is_a_problem() {
    let found = problems(&format!("{SMALL}[modules]\na = \"*\"\nB = \"*\"\n"));
    assert_eq!(pairs(&found), [("manifest.module", "modules.a"), ("manifest.module", "modules.B")]);
}

#[test]
fn a_section_gives_back_what_was_put_in() {
    let manifest = full();
    let section = encode_section(&manifest, b"descriptors").unwrap();
    assert_eq!(&section[..8], b"WHARF\0\0\x01");
    let (read, descriptors) = decode_section(&section).unwrap();
    assert_eq!(read, manifest);
    assert_eq!(descriptors, b"descriptors");
    assert_eq!(encode_section(&read, descriptors).unwrap(), section);
}

#[test]
fn a_damaged_frame_is_named() {
    let section = encode_section(&full(), b"descriptors").unwrap();
    let decode = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut section = section.clone();
        change(&mut section);
        decode_section(&section).unwrap_err()
    };
    assert_eq!(decode(&|s| s[0] = b'w'), SectionError::BadMagic);
    assert_eq!(decode(&|s| s.truncate(3)), SectionError::BadMagic);
    assert_eq!(decode(&|s| s[7] = 2), SectionError::FormatUnknown { found: 2 });
    assert!(matches!(decode(&|s| s.truncate(12)), SectionError::Truncated { .. }));
    assert!(matches!(decode(&|s| s.truncate(s.len() - 1)), SectionError::Truncated { .. }));
    assert_eq!(
        decode(&|s| s.extend_from_slice(&section)),
        SectionError::Trailing { extra: section.len() }
    );
    assert!(matches!(
        decode(&|s| s[8..12].fill(0xff)),
        SectionError::Oversized {
            part: "manifest",
            limit: MAX_JSON,
            ..
        }
    ));
    assert!(matches!(
        decode(&|s| s[12..16].fill(0xff)),
        SectionError::Oversized {
            part: "descriptor set",
            limit: MAX_DESCRIPTORS,
            ..
        }
    ));
    assert!(matches!(decode(&|s| s[16] = b'x'), SectionError::NotJson(_)));
}

#[test]
fn an_oversized_manifest_is_not_written() {
    let mut manifest = full();
    manifest.description = "x".repeat(MAX_JSON);
    assert!(matches!(
        encode_section(&manifest, &[]),
        Err(SectionError::Oversized { part: "manifest", .. })
    ));
    assert!(matches!(
        encode_section(&full(), &vec![0; MAX_DESCRIPTORS + 1]),
        Err(SectionError::Oversized {
            part: "descriptor set",
            ..
        })
    ));
}

fn section_of(json: &str) -> Vec<u8> {
    let mut section = b"WHARF\0\0\x01".to_vec();
    section.extend_from_slice(&u32::try_from(json.len()).unwrap().to_le_bytes());
    section.extend_from_slice(&[0; 4]);
    section.extend_from_slice(json.as_bytes());
    section
}

#[test]
fn json_that_is_no_manifest_names_every_key() {
    let mut json = serde_json::to_value(full()).unwrap();
    json["colour"] = json!("red");
    json["http"]["suffix"] = json!("/x");
    json["version"] = json!("1");
    json["modules"]["identity"]["version"] = json!(">>1");
    let Err(SectionError::Malformed(found)) = decode_section(&section_of(&json.to_string())) else {
        panic!("a malformed manifest");
    };
    let mut found = pairs(&found);
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("manifest.range", "modules.identity"),
            ("manifest.unknown-key", "colour"),
            ("manifest.unknown-key", "http.suffix"),
            ("manifest.version", "version"),
        ]
    );
}

#[test]
fn a_later_format_is_told_apart_from_a_malformed_one() {
    let section = section_of("{\"format\": 7, \"unheard\": {}}");
    let found = decode_section(&section);
    assert_eq!(found.unwrap_err(), SectionError::FormatUnknown { found: 7 });
}

#[test]
fn a_build_that_aborts_on_panic_is_a_problem() {
    let mut manifest = full();
    manifest.panic = Panic::Abort;
    assert_eq!(pairs(&manifest.check()), [("manifest.panic-abort", "panic")]);
}

#[test]
fn codes_are_unique_and_explained() {
    for (index, kind) in PROBLEM_KINDS.iter().enumerate() {
        assert!(kind.code.starts_with("manifest."), "{}", kind.code);
        assert!(!kind.why.is_empty() && !kind.fix.is_empty(), "{}", kind.code);
        assert!(PROBLEM_KINDS[..index].iter().all(|other| other.code != kind.code), "{}", kind.code);
    }
}

#[test]
fn no_damage_to_a_section_makes_decoding_panic() {
    let section = encode_section(&full(), b"descriptors").unwrap();
    for end in 0..section.len() {
        assert!(decode_section(&section[..end]).is_err());
    }
    // xorshift64 with a fixed seed: the same damage on every run.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 8).unwrap()
    };
    for _ in 0..5_000 {
        let mut damaged = section.clone();
        for _ in 0..=next() % 4 {
            let at = next() % damaged.len();
            damaged[at] = u8::try_from(next() % 256).unwrap();
        }
        if let Ok((manifest, _)) = decode_section(&damaged) {
            for problem in manifest.check() {
                assert!(wharf_manifest::is_printable(&problem.to_string()));
            }
        }
    }
}

#[test]
fn no_damage_to_a_wharf_toml_makes_parsing_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = |limit: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 8).unwrap() % limit
    };
    for end in 0..FULL.len() {
        let _ = parse_toml(&FULL[..end]);
    }
    for _ in 0..3_000 {
        let mut damaged = FULL.as_bytes().to_vec();
        for _ in 0..=next(4) {
            let at = next(damaged.len());
            damaged[at] = *b"\"[]{}=.\n\\a0 \xc3\x1b#".get(next(15)).unwrap();
        }
        for problem in parse_toml(&String::from_utf8_lossy(&damaged)).err().into_iter().flatten() {
            assert!(wharf_manifest::is_printable(&problem.to_string()));
        }
    }
}

#[test]
fn cache_version_and_secrets_are_understood_and_kept_strict() {
    let text = format!("{SMALL}[cache]\nversion = 3\n[secrets]\nnames = [\"stripe-key\", \"mail\"]\n");
    let manifest = parse_toml(&text).unwrap().embed(None, build());
    assert_eq!((manifest.cache.version, manifest.secrets.names.len()), (3, 2));
    let plain = parse_toml(SMALL).unwrap().embed(None, build());
    assert_eq!((plain.cache.version, plain.secrets.names.len()), (1, 0));
    let json = serde_json::to_value(&plain).unwrap();
    assert!(json.get("cache").is_none() && json.get("secrets").is_none(), "{json}");
    for (section, problem) in [
        ("[cache]\nversion = 0\n", ("manifest.cache", "cache.version")),
        ("[cache]\nversion = -1\n", ("manifest.type", "cache.version")),
        ("[cache]\nttl = 3\n", ("manifest.unknown-key", "cache.ttl")),
        ("[secrets]\nnames = [\"Stripe\"]\n", ("manifest.secret", "secrets.names[0]")),
        ("[secrets]\nnames = [\"a_b\"]\n", ("manifest.secret", "secrets.names[0]")),
        ("[secrets]\nnames = [\"key-file\"]\n", ("manifest.secret", "secrets.names[0]")),
        ("[secrets]\nnames = [\"a\", \"a\"]\n", ("manifest.duplicate", "secrets.names[1]")),
        ("[secrets]\nvalues = []\n", ("manifest.unknown-key", "secrets.values")),
    ] {
        assert_eq!(pairs(&problems(&format!("{SMALL}{section}"))), [problem], "{section}");
    }
}

#[test]
fn rules_of_a_job_are_strict() {
    let job = |rules: &str| format!("{SMALL}[[jobs]]\nname = \"a\"\ndescription = \"A\"\n{rules}\n");
    let good = "schedule = \"0 3 * * *\"\ntimezone = \"America/Argentina/Ushuaia\"\nmissed = \"run-all\"\noverlap = \"queue\"\ntimeout = \"90s\"\nattempts = 5\ndrain = \"2m\"";
    assert!(parse_toml(&job(good)).is_ok(), "{:?}", parse_toml(&job(good)));
    for (rules, code, path) in [
        ("timeout = \"ten\"", "manifest.job", "jobs[0].timeout"),
        ("timeout = \"0s\"", "manifest.job", "jobs[0].timeout"),
        ("drain = \"10\"", "manifest.job", "jobs[0].drain"),
        ("attempts = 0", "manifest.job", "jobs[0].attempts"),
        ("timezone = \"UTC\"", "manifest.schedule", "jobs[0]"),
        (
            "schedule = \"0 3 * * *\"\ntimezone = \"../etc\"",
            "manifest.schedule",
            "jobs[0].timezone",
        ),
    ] {
        assert_eq!(pairs(&problems(&job(rules))), [(code, path)], "{rules}");
    }
    assert!(parse_toml(&job("schedule = \"0 3 * * *\"\nmissed = \"never\"")).is_err());
}
