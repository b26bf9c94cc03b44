//! The repository's own rules, as tests. The rules are in `tests/tidy`; each one is shown to fail on a
//! sample that breaks it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    unreachable_pub,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;
use toml::Table;
use wharf_tests::{metadata, root};

use layers::Package;
use source::Source;

#[path = "../tidy/layers.rs"]
mod layers;
#[path = "../tidy/links.rs"]
mod links;
#[path = "../tidy/rules.rs"]
mod rules;
#[path = "../tidy/source.rs"]
mod source;

type Rule = fn(&Source) -> Vec<String>;

/// Each rule about a single file: its name, itself, samples that break it, samples that keep it.
type Row = (
    &'static str,
    Rule,
    &'static [(&'static str, &'static str)],
    &'static [(&'static str, &'static str)],
);

const RULES: &[Row] = &[
    (
        "a file opens with a sentence",
        rules::opens_with_a_sentence,
        &[("a.rs", "use x;\n"), ("a.rs", "//!\n"), ("a.rs", "")],
        &[("a.rs", "//! Says it.\n"), ("a/src/gen/b.rs", "use x;\n"), ("a.md", "text\n")],
    ),
    (
        "a module is beside its folder",
        rules::is_no_mod_rs,
        &[("a/mod.rs", "")],
        &[("a/model.rs", ""), ("mod.rs.md", "")],
    ),
    (
        "unsafe stays in its place",
        rules::keeps_unsafe_in_its_place,
        &[
            ("host/src/http.rs", "fn f() { unsafe { g() } }"),
            ("sdk/src/lib.rs", "unsafe impl Send for A {}"),
            ("host/src/modules_of.rs", "unsafe {}"),
        ],
        &[
            ("plugin-api/src/a.rs", "unsafe {}"),
            ("host/src/modules/open.rs", "unsafe {}"),
            ("host/src/http.rs", "// unsafe\nlet unsafety = \"unsafe\";"),
            ("host/src/lib.rs", "#![forbid(unsafe_code)]"),
        ],
    ),
    (
        "tests with servers are named so",
        rules::names_tests_with_servers,
        &[(
            "a.rs",
            "#[cfg(all(test, feature = \"servers\"))]\n#[path = \"b.rs\"]\nmod against_redis;\n",
        )],
        &[
            ("a.rs", "#[cfg(all(test, feature = \"servers\"))]\nmod servers;\n"),
            ("a.rs", "#[cfg(test)]\nmod tests;\n"),
        ],
    ),
    (
        "unsafe is justified",
        rules::justifies_unsafe,
        &[
            ("a.rs", "fn f() {\n    unsafe { g() }\n}\n"),
            ("a.rs", "unsafe impl Send for A {}\n"),
        ],
        &[
            ("a.rs", "// SAFETY: g has no conditions\nunsafe { g() }\n"),
            ("a.rs", "type F = unsafe fn();\n"),
            ("a.rs", "// unsafe { }\n"),
        ],
    ),
    (
        "no path of one machine",
        rules::names_no_machine,
        &[
            ("a.toml", concat!("x = \"/ro", "ot/.cargo\"")),
            ("docs/a.md", concat!("see `/ho", "me/me/x`")),
        ],
        &[
            ("a.rs", "get(\"/hello/x\"); \"/metrics\""),
            ("a.sh", concat!("$HOME/x target/ro", "ot/x")),
        ],
    ),
    (
        "no test is ignored",
        rules::skips_no_test,
        &[("a.rs", "#[ignore]\n"), ("a.rs", "#[test]\n#[ignore = \"slow\"]\n")],
        &[("a.rs", "// #[ignore]\n"), ("a.rs", "\"#[ignore]\"\n")],
    ),
    (
        "hello-module stays small",
        rules::hello_stays_small,
        &[
            ("examples/hello-module/src/other.rs", ""),
            (
                "examples/hello-module/src/lib.rs",
                "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n",
            ),
            (
                "examples/hello-module/src/lib.rs",
                "// 3456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 123456789 1",
            ),
        ],
        &[
            ("examples/hello-module/src/lib.rs", "//! Small.\n"),
            ("examples/embedded-host/src/other.rs", ""),
        ],
    ),
    (
        "one word for one thing",
        |source| rules::uses_the_right_words(&table("words.toml"), source),
        &[("docs/a.md", "an Add-On\n"), ("a.rs", "// the whitelist\n")],
        &[("docs/a.md", "a module\n"), ("a.sh", "whitelist\n")],
    ),
    (
        "names say something",
        |source| rules::names_say_something(&table("words.toml"), source),
        &[
            ("host/src/http_utils.rs", ""),
            ("common/src/lib.rs", ""),
            ("a.rs", "mod helpers;\n"),
            ("a.rs", "pub struct ModuleManager;\n"),
        ],
        &[
            ("a.rs", "struct Managerial; fn helper() {}\n"),
            ("a.rs", "// struct Manager\n"),
            ("commons_dao.rs", ""),
        ],
    ),
];

#[test]
fn every_file_keeps_every_rule() {
    let findings: Vec<String> = source::repository()
        .iter()
        .flat_map(|source| RULES.iter().flat_map(|(_, rule, ..)| rule(source)))
        .chain(source::repository().iter().flat_map(rules::is_not_too_long))
        .collect();
    report(&findings);
}

#[test]
fn every_rule_fails_where_it_should_and_only_there() {
    for (name, rule, breaking, keeping) in RULES {
        for (path, text) in *breaking {
            assert_ne!(
                rule(&Source::new(path, text)),
                Vec::<String>::new(),
                "{name}: nothing found in {path}: {text}"
            );
        }
        for (path, text) in *keeping {
            assert_eq!(rule(&Source::new(path, text)), Vec::<String>::new(), "{name}: {path}: {text}");
        }
    }
}

#[test]
fn a_long_file_says_why_and_a_very_long_one_is_split() {
    let long = |lines: usize, head: &str| rules::is_not_too_long(&Source::new("a.rs", &format!("{head}\n{}", "\n".repeat(lines - 1))));
    assert!(long(450, "//! A.").is_empty());
    assert_eq!(long(451, "//! A.").len(), 1);
    assert!(long(700, "//! Long because it is one table.").is_empty());
    assert_eq!(long(701, "//! Long because it is one table.").len(), 1);
}

#[test]
fn crates_depend_only_on_what_the_layers_allow() {
    let packages = layers::packages(metadata(), root().to_str().unwrap());
    assert!(packages.iter().any(|package| package.path == "host/wharf"), "{packages:?}");
    let mut findings = layers::check_packages(&table("layers.toml"), &packages);
    findings.extend(layers::unused(&table("layers.toml"), &packages));
    report(&findings);
}

#[test]
fn a_dependency_against_the_layers_is_found() {
    let rules = table("layers.toml");
    let cases: [(&str, &[&str], &[&str], usize); 8] = [
        ("host", &["wharf-bridge"], &["wharf-testing"], 0),
        ("host", &["wharf-sdk"], &[], 1),
        ("host", &[], &["greeter"], 1),
        ("plugins/blog", &["wharf-sdk", "axum"], &[], 0),
        ("plugins/blog", &["greeter"], &[], 1),
        ("plugin-api", &["tokio"], &[], 1),
        ("sdk", &["abi_stable", "libloading"], &[], 2),
        ("elsewhere", &[], &[], 1),
    ];
    for (path, normal, dev, expected) in cases {
        let findings = layers::check_packages(&rules, &workspace_with(path, normal, dev));
        assert_eq!(findings.len(), expected, "{path} {normal:?} {dev:?}: {findings:?}");
    }
    let unused = layers::unused(&rules, &workspace_with("host", &[], &[]));
    assert!(
        unused.iter().any(|finding| finding.contains("no crate at plugin-api")),
        "{unused:?}"
    );
}

#[test]
fn sources_name_only_what_the_layers_allow() {
    report(&layers::check_sources(&table("layers.toml"), &source::repository()));
}

#[test]
fn a_name_against_the_layers_is_found() {
    let cases = [
        ("host/src/domain/graph.rs", "use std::{collections::BTreeMap, fs};", 1),
        ("host/src/domain/graph.rs", "fn f() { std::thread::spawn(g); }", 1),
        ("host/src/domain.rs", "use crate::infra::database::Sqlite;", 2),
        (
            "host/src/domain/graph.rs",
            "// use std::fs;\nlet tokio = \"tokio::spawn\"; use std::fstat;",
            0,
        ),
        ("host/src/http/server.rs", "use libloading::Library;", 1),
        ("host/src/modules/open.rs", "use libloading::Library;", 0),
        ("host/src/modules.rs", "use object::File;", 0),
        ("host/wharf/src/cli.rs", "use wharf_host::{\n    http,\n    infra::database,\n};", 1),
        ("host/wharf/src/wiring.rs", "use wharf_host::infra;", 0),
    ];
    for (path, text, expected) in cases {
        let findings = layers::check_sources(&table("layers.toml"), &[Source::new(path, text)]);
        assert_eq!(findings.len(), expected, "{path}: {text}: {findings:?}");
    }
}

#[test]
fn docs_lead_somewhere() {
    let pages = source::repository();
    let exists = |path: &str| root().join(path).exists() || root().join(format!("{path}.rs")).exists();
    report(
        &pages
            .iter()
            .flat_map(|page| links::check(page, &pages, &exists))
            .collect::<Vec<_>>(),
    );
}

#[test]
fn the_readme_shows_the_hello_module_as_it_is() {
    let module = fs::read_to_string(root().join("examples/hello-module/src/lib.rs")).unwrap();
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.contains(&format!("```rust\n{module}```")),
        "README.md shows another hello-module: copy examples/hello-module/src/lib.rs into its block"
    );
}

#[test]
fn the_page_about_the_manifest_has_every_key_in_one_that_is_accepted() {
    let page = fs::read_to_string(root().join("docs/module-author/manifest.md")).unwrap();
    let block = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .expect("a block of toml");
    let manifest = wharf_manifest::parse_toml(block).unwrap_or_else(|problems| panic!("{problems:#?}"));
    assert_eq!(
        unset("", &serde_json::to_value(manifest).unwrap()),
        Vec::<String>::new(),
        "keys without a value on the page"
    );
}

#[test]
fn a_key_without_a_value_is_found() {
    let value = serde_json::json!({"a": 1, "b": null, "c": {"d": [], "e": [{"f": ""}]}});
    assert_eq!(unset("", &value), [".b", ".c.d", ".c.e[0].f"]);
}

#[test]
fn a_link_to_nowhere_is_found() {
    let other = Source::new("docs/B.md", "# The `one` heading, of two\n```\n# no heading\n```\n");
    let exists = |path: &str| ["docs/B.md", "docs/A.md", "host", "docs"].contains(&path);
    let cases = [
        (
            "[b](B.md) [b](../docs/B.md#the-one-heading-of-two) [x](https://example.org/none)",
            0,
        ),
        ("[b](C.md)", 1),
        ("[b](B.md#no-heading)", 1),
        ("[up](../../host)", 0),
        ("```\n[b](C.md)\n```", 0),
        ("see `host/`, `docs/GONE.md` and `plugins/NAME`", 1),
        ("see `host/gone.rs` and `tests/*/x`", 1),
    ];
    for (text, expected) in cases {
        let page = Source::new("docs/A.md", text);
        let findings = links::check(&page, &[page.clone(), other.clone()], &exists);
        assert_eq!(findings.len(), expected, "{text}: {findings:?}");
    }
}

/// The real members, with one of them, or a new one, changed.
fn workspace_with(path: &str, normal: &[&str], dev: &[&str]) -> Vec<Package> {
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let names = ["wharf-sdk", "wharf-bridge", "wharf-testing", "greeter"];
    // Members that are only there to be depended on stand where the layers allow anything they do.
    let mut packages: Vec<Package> = names
        .iter()
        .map(|name| Package {
            name: (*name).to_owned(),
            path: format!("examples/{name}"),
            dependencies: BTreeSet::new(),
            dev_dependencies: BTreeSet::new(),
        })
        .collect();
    packages.push(Package {
        name: "changed".to_owned(),
        path: path.to_owned(),
        dependencies: set(normal),
        dev_dependencies: set(dev),
    });
    packages
}

/// The paths of all values that say nothing.
fn unset(path: &str, value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .flat_map(|(key, value)| unset(&format!("{path}.{key}"), value))
            .collect(),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .enumerate()
            .flat_map(|(index, value)| unset(&format!("{path}[{index}]"), value))
            .collect(),
        Value::Null | Value::Object(_) | Value::Array(_) => vec![path.to_owned()],
        Value::String(text) if text.is_empty() => vec![path.to_owned()],
        _ => Vec::new(),
    }
}

fn table(file: &str) -> Table {
    let path = root().join("tests/tidy").join(file);
    fs::read_to_string(&path)
        .unwrap()
        .parse()
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn report(findings: &[String]) {
    assert!(findings.is_empty(), "{} findings:\n{}", findings.len(), findings.join("\n"));
}

/// What the names of the host's series end with.
const SERIES: [&str; 15] = [
    "_total",
    "_seconds",
    "_bytes",
    "_up",
    "_open",
    "_idle",
    "_in_use",
    "_waiting",
    "_items",
    "_left",
    "_loaded",
    "_ready",
    "_state",
    "_generation",
    "_in_flight",
];

#[test]
fn every_series_of_the_host_is_documented() {
    let page = fs::read_to_string(root().join("docs/operations/metrics.md")).unwrap();
    let mut series = BTreeSet::new();
    for source in source::repository().iter().filter(|source| source.is_in("host/src")) {
        let words = source.text.split('"').filter(|word| word.starts_with("wharf_"));
        series.extend(words.filter(|word| SERIES.iter().any(|end| word.ends_with(end))).map(str::to_owned));
    }
    assert!(series.len() > 20, "{series:?}");
    let missing: Vec<_> = series.iter().filter(|name| !page.contains(&format!("`{name}`"))).collect();
    assert!(missing.is_empty(), "docs/operations/metrics.md does not name {missing:?}");
}
