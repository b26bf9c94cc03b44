//! Reads the layers, lays them over each other and checks the whole.

mod callers;
mod collector;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use figment::value::{Dict, Map as FigmentMap, Value as FigmentValue};
use figment::{Figment, Metadata, Profile, Provider};
use serde_json::{Map, Value, json};

use super::error::{ConfigError, Problem, from_figment};
use super::keys::{Known, is_secret};
use super::{Config, DEFAULT_FILE, environment, explain};

/// Where a configuration is read from.
#[derive(Clone, Debug, Default)]
pub struct LoadOptions {
    /// The file. `None`: `WHARF_CONFIG`, or `wharf-host.toml` in the working directory if there is one.
    pub file: Option<PathBuf>,
    /// Defaults for development: any trust, watching, auto-enable; loopback addresses only.
    pub dev: bool,
    /// The environment, names with values.
    pub environment: Vec<(String, String)>,
    /// Values from the command line; they win.
    pub overrides: Vec<Override>,
}

/// A value from the command line.
#[derive(Clone, Debug)]
pub struct Override {
    /// Dotted path: `http.listen`.
    pub path: String,
    /// The value.
    pub value: Value,
    /// The option, as it was written: `--listen`.
    pub option: String,
}

/// Where a layer came from.
#[derive(Clone, Debug)]
pub(super) enum Source {
    Default,
    Dev,
    File(PathBuf),
    Variable(String),
    SecretFile { variable: String, path: PathBuf },
    Option(String),
}

/// One source of values.
pub(super) struct Layer {
    pub(super) source: Source,
    pub(super) tree: Value,
}

impl LoadOptions {
    /// The environment of this process, no file named, no overrides. Variables that are not UTF-8 are left out.
    #[must_use]
    pub fn from_process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Self {
            environment: std::env::vars_os().filter_map(text).collect(),
            ..Self::default()
        }
    }

    /// The same for a named or default file, with or without the defaults for development.
    #[must_use]
    pub fn with_file(mut self, file: Option<PathBuf>, dev: bool) -> Self {
        self.file = file;
        self.dev = dev;
        self
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Dev => f.write_str("--dev"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::SecretFile { variable, path } => write!(f, "file {} ({variable})", path.display()),
            Self::Option(option) => write!(f, "option {option}"),
        }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.source.to_string())
    }

    fn data(&self) -> Result<FigmentMap<Profile, Dict>, figment::Error> {
        let dict = FigmentValue::serialize(&self.tree)?.into_dict().unwrap_or_default();
        Ok(FigmentMap::from([(Profile::Default, dict)]))
    }
}

pub(super) fn load(options: &LoadOptions) -> Result<Config, ConfigError> {
    let known = Known::new();
    let mut problems = Vec::new();
    let mut layers = vec![Layer {
        source: Source::Default,
        tree: defaults(),
    }];
    if options.dev {
        layers.push(Layer {
            source: Source::Dev,
            tree: dev_defaults(),
        });
    }
    layers.extend(file_layer(options)?);
    layers.extend(environment::layers(&options.environment, &known, &mut problems)?);
    layers.extend(options.overrides.iter().map(override_layer));
    let secrets: Vec<String> = layers
        .iter()
        .filter(|layer| matches!(layer.source, Source::SecretFile { .. }))
        .map(|layer| layer.source.to_string())
        .collect();

    let mut figment = Figment::new();
    for layer in layers {
        problems.extend(known.unknown(&layer.tree, &layer.source.to_string()));
        figment = figment.merge(layer);
    }
    if !problems.is_empty() {
        return Err(ConfigError::Problems(problems));
    }
    let mut config = extract(&figment)?;
    config.dev = options.dev;
    config.settings = explain::settings(&figment, &config, &secrets);
    check(&config)?;
    Ok(config)
}

/// A TOML value on its own: `3`, `true`, `"x"`, `[1, 2]`, `{ a = 1 }`.
pub(super) fn toml_value(text: &str) -> Option<Value> {
    let mut table: toml::Table = toml::from_str(&format!("v = {text}")).ok()?;
    let value = table.remove("v")?;
    table.is_empty().then(|| json_of(value))
}

fn file_layer(options: &LoadOptions) -> Result<Option<Layer>, ConfigError> {
    let variable = || {
        options
            .environment
            .iter()
            .find(|(name, _)| name == "WHARF_CONFIG")
            .map(|(_, value)| PathBuf::from(value))
    };
    let (path, named_by) = match (&options.file, variable()) {
        (Some(path), _) => (path.clone(), "option --config"),
        (None, Some(path)) => (path, "environment variable WHARF_CONFIG"),
        (None, None) if Path::new(DEFAULT_FILE).exists() => (PathBuf::from(DEFAULT_FILE), "its default name"),
        (None, None) => return Ok(None),
    };
    let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
        path: path.clone(),
        named_by: named_by.to_owned(),
        source,
    })?;
    let table: toml::Table = toml::from_str(&text).map_err(|e| ConfigError::Syntax {
        path: path.clone(),
        detail: e.to_string(),
    })?;
    Ok(Some(Layer {
        source: Source::File(path),
        tree: json_of(toml::Value::Table(table)),
    }))
}

fn override_layer(given: &Override) -> Layer {
    let path: Vec<String> = given.path.split('.').map(str::to_owned).collect();
    Layer {
        source: Source::Option(given.option.clone()),
        tree: environment::nested(&path, given.value.clone()),
    }
}

/// Reads the typed values. After an error the default is put in its place and reading goes on, so that all errors are reported at once.
fn extract(figment: &Figment) -> Result<Config, ConfigError> {
    let mut figment = figment.clone();
    let mut problems: Vec<Problem> = Vec::new();
    loop {
        let error = match figment.extract::<Config>() {
            Ok(config) if problems.is_empty() => return Ok(config),
            Ok(_) => return Err(ConfigError::Problems(problems)),
            Err(error) => error,
        };
        let problem = from_figment(&error, is_secret(&error.path));
        let again = problems.iter().any(|p| p.path == problem.path);
        problems.extend((!again).then_some(problem));
        if again {
            return Err(ConfigError::Problems(problems));
        }
        figment = figment.merge(default_at(&error.path));
    }
}

/// The default of one key as a layer; of the whole list where the path leads into one, and nothing where there is no default.
fn default_at(path: &[String]) -> Layer {
    let path: Vec<String> = path.iter().take_while(|key| key.parse::<usize>().is_err()).cloned().collect();
    let pointer = path.iter().fold(String::new(), |pointer, key| format!("{pointer}/{key}"));
    let default = defaults().pointer(&pointer).cloned().unwrap_or(Value::Null);
    Layer {
        source: Source::Default,
        tree: environment::nested(&path, default),
    }
}

/// Rules between values that no type holds.
fn check(config: &Config) -> Result<(), ConfigError> {
    let mut problems = Vec::new();
    let mut problem = |path: &str, what: String, hint: &str| {
        let source = config
            .settings
            .iter()
            .find(|s| s.path == path)
            .map_or_else(|| "default".to_owned(), |s| s.source.clone());
        problems.push(Problem {
            path: path.to_owned(),
            what,
            source,
            hint: hint.to_owned(),
        });
    };
    if config.dev {
        let listeners: [(&str, SocketAddr); 2] = [
            ("http.listen", config.http.address()),
            ("management.listen", config.management.listen),
        ];
        for (path, address) in listeners.into_iter().filter(|(_, address)| !address.ip().is_loopback()) {
            let what = format!("found {address}, expected a loopback address because of --dev, which trusts any library");
            problem(path, what, "listen on 127.0.0.1 or [::1], or serve without --dev");
        }
    }
    for (id, section) in &config.modules {
        let path = format!("modules.{id}");
        if !is_module_id(id) {
            problem(
                &path,
                format!("{id:?} is no module id; expected ^[a-z][a-z0-9-]{{0,39}}$"),
                "use the id from the module's wharf.toml",
            );
        }
        if !section.is_object() {
            problem(&path, format!("found {section}, expected a table"), "write a section [modules.ID]");
        }
    }
    for hash in &config.plugins.trust.hashes {
        if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            problem(
                "plugins.trust.hashes",
                format!("found {hash:?}, expected 64 hex digits"),
                "take the hash from `wharf modules check --json`",
            );
        }
    }
    for (path, what, hint) in callers::problems(config).into_iter().chain(collector::problems(config)) {
        problem(&path, what, hint);
    }
    if config.http.max_header_bytes.get() < 8 * 1024 {
        problem(
            "http.max_header_bytes",
            format!("found {}, expected at least 8 KiB", config.http.max_header_bytes),
            "raise it",
        );
    }
    if config.plugins.quarantine.panics == 0 {
        problem(
            "plugins.quarantine.panics",
            "found 0, expected at least 1".to_owned(),
            "1 takes a module out at its first panic",
        );
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Problems(problems))
    }
}

/// `^[a-z][a-z0-9-]{0,39}$`.
#[must_use]
pub fn is_module_id(id: &str) -> bool {
    id.len() <= 40
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// The defaults as a tree, without the keys that have none.
fn defaults() -> Value {
    let mut tree = serde_json::to_value(Config::default()).unwrap_or_default();
    drop_nulls(&mut tree);
    tree
}

fn drop_nulls(tree: &mut Value) {
    if let Value::Object(entries) = tree {
        entries.retain(|_, value| !value.is_null());
        entries.values_mut().for_each(drop_nulls);
    }
}

fn dev_defaults() -> Value {
    json!({ "plugins": { "watch": true, "auto_enable": true, "trust": { "mode": "any" } }, "admin": { "remote": true }, "http": { "docs": true }, "tracing": { "recent": 200 } })
}

/// Dates become text; everything else has its like in JSON.
fn json_of(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => Value::String(text),
        toml::Value::Integer(number) => Value::from(number),
        toml::Value::Float(number) => Value::from(number),
        toml::Value::Boolean(value) => Value::Bool(value),
        toml::Value::Datetime(date) => Value::String(date.to_string()),
        toml::Value::Array(items) => Value::Array(items.into_iter().map(json_of).collect()),
        toml::Value::Table(table) => Value::Object(table.into_iter().map(|(key, value)| (key, json_of(value))).collect::<Map<_, _>>()),
    }
}
