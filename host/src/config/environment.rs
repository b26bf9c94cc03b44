//! `WHARF_SECTION__KEY=value` and `WHARF_SECTION__KEY_FILE=/path`.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::error::{ConfigError, Problem};
use super::keys::{Known, Shape};
use super::layers::{Layer, Source, toml_value};

/// Variables that begin with `WHARF_` and are no settings.
const RESERVED: &[&str] = &["WHARF_CONFIG", "WHARF_FAILPOINT"];
/// Values of secrets are no settings: they are never explained and never merged into the configuration.
const SECRETS: &str = "WHARF_SECRET__";
/// A name of its own for `secrets.master_key_file`.
const MASTER_KEY_FILE: &str = "WHARF_MASTER_KEY_FILE";

/// One layer a variable, so that each value knows its variable.
pub(super) fn layers(variables: &[(String, String)], known: &Known, problems: &mut Vec<Problem>) -> Result<Vec<Layer>, ConfigError> {
    let mut layers = Vec::new();
    let mut seen: Vec<(Vec<String>, String)> = Vec::new();
    let mut sorted: Vec<_> = variables.iter().filter(|(name, _)| is_setting(name)).collect();
    sorted.sort();
    for (name, text) in sorted {
        let (path, from_file) = path_of(name, known);
        if let Some((_, other)) = seen.iter().find(|(earlier, _)| *earlier == path) {
            problems.push(twice(&path, name, other));
            continue;
        }
        let (value, source) = if from_file {
            secret_file(name, text)?
        } else {
            (value_of(&path, text, known), Source::Variable(name.clone()))
        };
        seen.push((path.clone(), name.clone()));
        layers.push(Layer {
            source,
            tree: nested(&path, value),
        });
    }
    Ok(layers)
}

/// `a.b = value` as a tree.
pub(super) fn nested(path: &[String], value: Value) -> Value {
    path.iter().rev().fold(value, |inner, key| {
        let mut table = Map::new();
        table.insert(key.clone(), inner);
        Value::Object(table)
    })
}

fn is_setting(name: &str) -> bool {
    name.starts_with("WHARF_") && !name.starts_with(SECRETS) && !RESERVED.contains(&name) && !is_service_link(name)
}

/// Kubernetes and old Docker links describe a service called "wharf" with variables such as `WHARF_PORT_80_TCP_ADDR`
/// and `WHARF_SERVICE_HOST`; nobody wrote them and they are no settings.
fn is_service_link(name: &str) -> bool {
    let Some(rest) = name.strip_prefix("WHARF_") else { return false };
    if rest.contains("__") {
        return false;
    }
    rest == "PORT"
        || rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || rest
            .strip_prefix("PORT_")
            .is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))
}

/// `WHARF_HTTP__PORT` is `http.port`. In the place of a module id `_` stands for `-`, which ids have and variables cannot.
fn path_of(name: &str, known: &Known) -> (Vec<String>, bool) {
    if name == MASTER_KEY_FILE {
        return (vec!["secrets".to_owned(), "master_key_file".to_owned()], false);
    }
    let mut path: Vec<String> = name.trim_start_matches("WHARF_").split("__").map(str::to_ascii_lowercase).collect();
    let in_module = path.first().is_some_and(|first| first == "modules");
    if in_module && let Some(id) = path.get_mut(1) {
        *id = id.replace('_', "-");
    }
    let known_as_it_is = !in_module && known.at(&path).is_some();
    let Some(stem) = path.last().and_then(|last| last.strip_suffix("_file")).map(str::to_owned) else {
        return (path, false);
    };
    if known_as_it_is || stem.is_empty() || (in_module && path.len() < 3) {
        return (path, false);
    }
    if let Some(last) = path.last_mut() {
        *last = stem;
    }
    (path, true)
}

/// Reads text as the type that is known for the path. Inside a module's section it is read as a TOML value if it is one,
/// and as text otherwise; quotes make it text in any case.
fn value_of(path: &[String], text: &str, known: &Known) -> Value {
    match known.at(path) {
        Some(Shape::Leaf(kinds)) => leaf(text, &kinds),
        Some(Shape::List(_)) => list(text),
        Some(Shape::Table(_) | Shape::Free(_)) => toml_value(text).unwrap_or_else(|| Value::String(text.to_owned())),
        None => Value::String(text.to_owned()),
    }
}

fn leaf(text: &str, kinds: &[&str]) -> Value {
    if kinds.contains(&"boolean")
        && let Ok(value) = text.parse::<bool>()
    {
        return Value::Bool(value);
    }
    if kinds.contains(&"integer")
        && let Ok(number) = text.parse::<i64>()
    {
        return Value::from(number);
    }
    if kinds.contains(&"number")
        && let Ok(number) = text.parse::<f64>()
    {
        return Value::from(number);
    }
    Value::String(text.to_owned())
}

/// `["a", "b"]` or `a, b`.
fn list(text: &str) -> Value {
    match toml_value(text) {
        Some(value @ Value::Array(_)) => value,
        _ => text
            .split(',')
            .map(str::trim)
            .filter(|item| !item.is_empty())
            .map(|item| Value::String(item.to_owned()))
            .collect(),
    }
}

/// The content of the file, without the line end editors put there.
fn secret_file(name: &str, file: &str) -> Result<(Value, Source), ConfigError> {
    let path = PathBuf::from(file);
    let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read {
        path: path.clone(),
        named_by: format!("environment variable {name}"),
        source,
    })?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t));
    Ok((
        Value::String(text.to_owned()),
        Source::SecretFile {
            variable: name.to_owned(),
            path,
        },
    ))
}

fn twice(path: &[String], name: &str, other: &str) -> Problem {
    Problem {
        path: path.join("."),
        what: format!("set by both {other} and {name}"),
        source: format!("environment variable {name}"),
        hint: "unset one of them".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_become_paths() {
        let known = Known::new();
        let check = |name: &str, path: &str, file: bool| {
            let (found, from_file) = path_of(name, &known);
            assert_eq!((found.join("."), from_file), (path.to_owned(), file), "{name}");
        };
        check("WHARF_HTTP__PORT", "http.port", false);
        check("WHARF_DATA_DIR", "data_dir", false);
        check("WHARF_PLUGINS__TRUST__MODE", "plugins.trust.mode", false);
        check("WHARF_DATABASE__URL_FILE", "database.url", true);
        check("WHARF_MASTER_KEY_FILE", "secrets.master_key_file", false);
        check("WHARF_SECRETS__MASTER_KEY_FILE", "secrets.master_key_file", false);
        check("WHARF_MODULES__MY_BLOG__PAGE_SIZE", "modules.my-blog.page_size", false);
        check("WHARF_MODULES__MY_BLOG__API_KEY_FILE", "modules.my-blog.api_key", true);
    }

    #[test]
    fn variables_of_kubernetes_are_no_settings() {
        for name in [
            "WHARF_PORT",
            "WHARF_SERVICE_HOST",
            "WHARF_SERVICE_PORT_HTTP",
            "WHARF_PORT_8080_TCP_ADDR",
            "WHARF_CONFIG",
            "WHARF_SECRET__BLOG__STRIPE_KEY",
            "WHARF_SECRET__BLOG__STRIPE_KEY_FILE",
            "PATH",
        ] {
            assert!(!is_setting(name), "{name}");
        }
        assert!(is_setting("WHARF_HTTP__PORT"));
        assert!(is_setting("WHARF_SERVICES"));
    }
}
