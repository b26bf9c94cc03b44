//! `[cache]` and `[secrets]` of `wharf.toml`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use wharf_manifest::{Abi, BuildInfo, Panic, Problem, parse_toml};

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

/// `(code, path)` of every problem.
fn pairs(problems: &[Problem]) -> Vec<(&str, &str)> {
    problems.iter().map(|problem| (problem.code, problem.path.as_str())).collect()
}

fn problems(text: &str) -> Vec<Problem> {
    parse_toml(text).expect_err("a wharf.toml with problems")
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
