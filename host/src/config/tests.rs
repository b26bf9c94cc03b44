//! The layers together.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

use std::io::Write;

use serde_json::json;
use tempfile::NamedTempFile;

use super::*;
use crate::domain::trust::TrustMode;

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn options(text: &str, environment: &[(&str, &str)]) -> (LoadOptions, NamedTempFile) {
    let file = file(text);
    let environment = environment
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    (
        LoadOptions {
            file: Some(file.path().to_owned()),
            environment,
            ..LoadOptions::default()
        },
        file,
    )
}

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let (options, _file) = options(text, environment);
    Config::load(&options)
}

fn problems(text: &str, environment: &[(&str, &str)]) -> Vec<Problem> {
    match load(text, environment) {
        Err(ConfigError::Problems(problems)) => problems,
        other => panic!("expected problems, found {other:?}"),
    }
}

fn setting(config: &Config, path: &str) -> Setting {
    config
        .explain()
        .into_iter()
        .find(|s| s.path == path)
        .unwrap_or_else(|| panic!("no setting {path}"))
}

#[test]
fn an_empty_file_gives_the_safe_defaults() {
    let config = load("", &[]).unwrap();
    assert_eq!(config.http.address(), "127.0.0.1:8080".parse().unwrap());
    assert_eq!(config.plugins.trust.mode, TrustMode::Signed);
    assert!(!config.plugins.watch && !config.plugins.auto_enable);
    assert_eq!(config.admin_socket(), PathBuf::from(".wharf/admin/wharf.sock"));
    assert_eq!(setting(&config, "http.listen").source, "default");
}

#[test]
fn environment_wins_over_file_and_each_value_knows_its_source() {
    let text = "[http]\nlisten = \"127.0.0.1:1\"\nheader_timeout = \"3s\"\n[modules.blog]\npage_size = 10\n";
    let environment = [
        ("WHARF_HTTP__PORT", "7000"),
        ("WHARF_MODULES__BLOG__TITLE", "Hi"),
        ("WHARF_HTTP__TRUSTED_PROXIES", "10.0.0.0/8, ::1"),
    ];
    let (options, file) = options(text, &environment);
    let config = Config::load(&options).unwrap();
    assert_eq!(config.http.address(), "127.0.0.1:7000".parse().unwrap());
    assert_eq!(config.http.header_timeout, Period::secs(3));
    assert_eq!(config.http.trusted_proxies.len(), 2);
    assert_eq!(config.module("blog"), json!({ "page_size": 10, "title": "Hi" }));
    assert_eq!(
        setting(&config, "http.header_timeout").source,
        format!("file {}", file.path().display())
    );
    assert_eq!(
        setting(&config, "modules.blog.title").source,
        "environment variable WHARF_MODULES__BLOG__TITLE"
    );
}

#[test]
fn a_secret_file_gives_its_content_and_is_never_shown() {
    let secret = file("hunter2\n");
    let path = secret.path().to_str().unwrap();
    let config = load("[modules.mail]\npassword = \"plain\"", &[("WHARF_MODULES__MAIL__RELAY_FILE", path)]).unwrap();
    assert_eq!(config.module("mail")["relay"], "hunter2");
    assert_eq!(setting(&config, "modules.mail.relay").value, "***");
    assert_eq!(setting(&config, "modules.mail.password").value, "***");
    assert!(
        setting(&config, "modules.mail.relay")
            .source
            .contains("WHARF_MODULES__MAIL__RELAY_FILE")
    );
}

#[test]
fn a_password_in_a_url_is_hidden_and_not_in_debug() {
    let config = load("[database]\nurl = \"postgres://wharf:canary@db/wharf\"", &[]).unwrap();
    assert_eq!(setting(&config, "database.url").value, "postgres://wharf:***@db/wharf");
    assert!(!format!("{config:?}").contains("canary"));
}

#[test]
fn every_unknown_key_is_reported_with_its_path_source_and_nearest_name() {
    let found = problems(
        "[http]\nlisen = \"x\"\n[plugins.trust]\nkeys = [{ id = \"a\", public = \"b\", colour = 1 }]",
        &[("WHARF_LOGG__LEVEL", "info")],
    );
    let paths: Vec<_> = found.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["http.lisen", "plugins.trust.keys.0.colour", "logg"]);
    assert_eq!(found[0].hint, "did you mean `listen`?");
    assert!(found[1].hint.starts_with("known here: id, public"), "{}", found[1].hint);
    assert_eq!(found[2].source, "environment variable WHARF_LOGG__LEVEL");
    assert_eq!(found[2].hint, "did you mean `log`?");
}

#[test]
fn every_wrong_type_is_reported_with_found_expected_and_source() {
    let found = problems(
        "[http]\nheader_timeout = 30\n[plugins]\nwatch = \"yes\"\n[plugins.trust]\nmode = \"none\"",
        &[("WHARF_HTTP__PORT", "many")],
    );
    let of = |path: &str| {
        found
            .iter()
            .find(|p| p.path == path)
            .unwrap_or_else(|| panic!("{path} in {found:?}"))
    };
    assert!(
        of("http.header_timeout").what.starts_with("found number 30, expected a duration"),
        "{found:?}"
    );
    assert_eq!(of("plugins.watch").what, "found text \"yes\", expected true or false");
    assert_eq!(
        of("plugins.trust.mode").what,
        "found \"none\", expected one of: any, hashed, signed"
    );
    assert_eq!(of("http.port").what, "found text \"many\", expected a whole number from 0 to 65535");
    assert_eq!(of("http.port").source, "environment variable WHARF_HTTP__PORT");
}

#[test]
fn a_file_that_is_not_toml_names_line_and_file() {
    let error = load("[http\n", &[]).unwrap_err();
    assert!(matches!(&error, ConfigError::Syntax { .. }));
    assert!(error.to_string().contains("line 1"), "{error}");
}

#[test]
fn a_named_file_that_is_missing_is_an_error() {
    let options = LoadOptions {
        file: Some("/nonexistent/w.toml".into()),
        ..LoadOptions::default()
    };
    let error = Config::load(&options).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/w.toml") && error.contains("--config"), "{error}");
}

#[test]
fn dev_changes_defaults_only_and_refuses_other_addresses() {
    let (mut with_file, _file) = options("[plugins]\nwatch = false", &[]);
    with_file.dev = true;
    let config = Config::load(&with_file).unwrap();
    assert_eq!(
        (config.plugins.trust.mode, config.plugins.watch, config.plugins.auto_enable),
        (TrustMode::Any, false, true)
    );
    assert_eq!(setting(&config, "plugins.trust.mode").source, "--dev");

    with_file.overrides.push(Override {
        path: "http.listen".into(),
        value: json!("0.0.0.0:80"),
        option: "--listen".into(),
    });
    let error = Config::load(&with_file).unwrap_err();
    assert_eq!(error.problems()[0].path, "http.listen");
    assert_eq!(error.problems()[0].source, "option --listen");
}

#[test]
fn a_second_reading_tells_what_changed() {
    let old = load("[log]\nlevel = \"info\"\n[modules.a]\nx = 1\n[modules.b]\ny = 1", &[]).unwrap();
    let new = load(
        "[log]\nlevel = \"debug\"\n[http]\nport = 1\n[modules.a]\nx = 2\n[modules.b]\ny = 1\n[modules.c]\n",
        &[],
    )
    .unwrap();
    let changes = old.changes(&new);
    let host: Vec<_> = changes.host.iter().map(|c| (c.path.as_str(), c.restart_needed)).collect();
    assert_eq!(host, [("http.port", true), ("log.level", false)]);
    assert_eq!(changes.modules, ["a", "c"]);
    assert!(old.changes(&old.clone()).is_empty());
}

#[test]
fn what_needs_a_restart_stays_in_force_and_in_the_explanation() {
    let old = load("[http]\nport = 1\n[plugins]\ndir = \"/old\"\n", &[]).unwrap();
    let text = "[log]\nlevel = \"debug\"\n[http]\nport = 2\nrequest_timeout = \"1s\"\n[plugins]\ndir = \"/new\"\nstop_timeout = \"1s\"\n[modules.a]\nx = 1\n";
    let new = load(text, &[]).unwrap();
    let taken = old.taking(&new);
    let mut live = Vec::new();
    for change in old.changes(&new).host {
        let shown = setting(&taken, &change.path).value;
        let expected = if change.restart_needed {
            setting(&old, &change.path).value
        } else {
            live.push(change.path.clone());
            setting(&new, &change.path).value
        };
        assert_eq!(shown, expected, "{}", change.path);
    }
    assert_eq!(live, ["log.level", "plugins.stop_timeout"]);
    assert_eq!(taken.http.port, Some(1));
    assert_eq!(taken.plugins_dir(), old.plugins_dir());
    assert_eq!(
        (taken.log.level.as_str(), taken.plugins.stop_timeout),
        ("debug", new.plugins.stop_timeout)
    );
    assert_eq!(setting(&taken, "modules.a.x").value, 1);
    assert_eq!(taken.module("a"), new.module("a"));
}

#[test]
fn the_public_address_is_what_is_set_or_what_is_listened_on() {
    for (text, expected) in [
        ("", "http://127.0.0.1:8080"),
        ("[http]\nlisten = \"0.0.0.0:80\"", "http://127.0.0.1:80"),
        ("[http]\nlisten = \"[::]:80\"", "http://[::1]:80"),
        ("[http]\nport = 81", "http://127.0.0.1:81"),
        ("[http]\npublic_url = \"https://wharf.example.org/\"", "https://wharf.example.org"),
        ("[http]\npublic_url = \"https://example.org/wharf\"", "https://example.org/wharf"),
    ] {
        assert_eq!(load(text, &[]).unwrap().http.reached_at(), expected, "{text}");
    }
    for wrong in [
        "wharf.example.org",
        "ftp://a",
        "https://",
        "https://a?b",
        "https://a#b",
        "https://a@b",
        "",
    ] {
        let found = problems(&format!("[http]\npublic_url = {wrong:?}"), &[]);
        assert!(found[0].to_string().contains("public_url"), "{wrong}: {found:?}");
    }
}

#[test]
fn module_sections_must_be_tables_named_by_ids() {
    let found = problems("[modules]\nBlog = { a = 1 }\nmail = 3", &[]);
    assert_eq!(
        found.iter().map(|p| p.path.as_str()).collect::<Vec<_>>(),
        ["modules.Blog", "modules.mail"]
    );
}

#[test]
fn the_schema_describes_every_default() {
    let schema = Config::schema();
    let defaults = serde_json::to_value(Config::default()).unwrap();
    jsonschema::validate(&schema, &defaults).unwrap();
    assert!(jsonschema::validate(&schema, &json!({ "http": { "lisen": 1 } })).is_err());
}

#[test]
fn tracing_is_off_kept_in_memory_for_development_and_its_headers_are_a_secret() {
    assert_eq!(load("", &[]).unwrap().tracing, Tracing::default());
    let (mut options, _file) = options("", &[("WHARF_TRACING__SAMPLE", "0.25")]);
    options.dev = true;
    let dev = Config::load(&options).unwrap().tracing;
    assert_eq!((dev.recent, dev.sample), (200, 0.25));

    let headers = file("authorization=Bearer canary\n");
    let environment = [
        ("WHARF_TRACING__OTLP__HEADERS_FILE", headers.path().to_str().unwrap()),
        ("WHARF_TRACING__OTLP__ENDPOINT", "https://collector.example.org:4318"),
        ("WHARF_TRACING__OTLP__PROTOCOL", "http"),
    ];
    let config = load("[tracing]\nsample = 1\n", &environment).unwrap();
    assert_eq!(config.tracing.otlp.protocol, OtlpProtocol::Http);
    assert_eq!(config.tracing.otlp.header_fields().unwrap().len(), 1);
    assert!(!format!("{config:?}").contains("canary"));
    let in_file = load("[tracing.otlp]\nheaders = \"a=canary\"\n", &[]).unwrap();
    assert_eq!(setting(&in_file, "tracing.otlp.headers").value, json!("***"));

    let text = "[tracing]\nsample = 1.5\n[tracing.otlp]\nheaders = \"canary\"\nbatch = 0\ntimeout = \"0s\"\n";
    let found = problems(text, &[]);
    let paths: Vec<&str> = found.iter().map(|problem| problem.path.as_str()).collect();
    let expected = [
        "tracing.sample",
        "tracing.otlp.headers",
        "tracing.otlp.batch",
        "tracing.otlp.timeout",
    ];
    assert_eq!(paths, expected);
    assert!(!format!("{found:?}").contains("canary"), "{found:?}");
}
