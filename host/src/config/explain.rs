//! Every setting, its value and where it came from.

use figment::Figment;
use figment::value::Value as FigmentValue;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Config;
use super::keys::is_secret;

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Setting {
    /// Dotted path: `http.listen`.
    pub path: String,
    /// Its value; a secret is `***`.
    pub value: Value,
    /// Where it came from: `default`, `--dev`, `file wharf-host.toml`, `environment variable WHARF_HTTP__PORT`.
    pub source: String,
}

/// Settings of the merged layers. `secrets` names the sources whose every value is a secret.
pub(super) fn settings(figment: &Figment, config: &Config, secrets: &[String]) -> Vec<Setting> {
    let mut settings = Vec::new();
    let sections = serde_json::to_value(config).unwrap_or_default();
    for section in sections.as_object().into_iter().flat_map(serde_json::Map::keys) {
        if let Ok(value) = figment.find_value(section) {
            walk(figment, &value, &mut vec![section.clone()], secrets, &mut settings);
        }
    }
    add_derived(config, &mut settings);
    settings
}

/// Settings of a configuration that was built in code.
pub(super) fn defaults_of(config: &Config) -> Vec<Setting> {
    let mut settings = Vec::new();
    flatten(
        &serde_json::to_value(config).unwrap_or_default(),
        &mut Vec::new(),
        &mut |path, value| {
            let value = shown(path, value.clone(), false);
            settings.push(Setting {
                path: path.join("."),
                value,
                source: "code".to_owned(),
            });
        },
    );
    add_derived(config, &mut settings);
    settings
}

/// Calls `visit` for every value that is no table.
pub(super) fn flatten(tree: &Value, path: &mut Vec<String>, visit: &mut dyn FnMut(&[String], &Value)) {
    match tree {
        Value::Object(entries) => {
            for (key, value) in entries {
                path.push(key.clone());
                flatten(value, path, visit);
                path.pop();
            }
        }
        Value::Null => {}
        leaf => visit(path, leaf),
    }
}

/// A value as it may be shown: secrets are hidden, in lists and tables too, and passwords in URLs.
pub(super) fn shown(path: &[String], value: Value, secret: bool) -> Value {
    if secret || is_secret(path) {
        return Value::String("***".to_owned());
    }
    match value {
        Value::String(text) => Value::String(without_password(&text)),
        Value::Array(items) => items.into_iter().map(|item| shown(path, item, false)).collect(),
        Value::Object(entries) => entries
            .into_iter()
            .map(|(key, inner)| {
                let value = shown(std::slice::from_ref(&key), inner, false);
                (key, value)
            })
            .collect(),
        other => other,
    }
}

fn walk(figment: &Figment, value: &FigmentValue, path: &mut Vec<String>, secrets: &[String], settings: &mut Vec<Setting>) {
    if let FigmentValue::Dict(_, entries) = value {
        for (key, inner) in entries {
            path.push(key.clone());
            walk(figment, inner, path, secrets, settings);
            path.pop();
        }
        return;
    }
    let source = figment
        .get_metadata(value.tag())
        .map_or_else(|| "default".to_owned(), |m| m.name.to_string());
    let json = serde_json::to_value(value).unwrap_or_default();
    let value = shown(path, json, secrets.contains(&source));
    settings.push(Setting {
        path: path.join("."),
        value,
        source,
    });
}

/// Keys without a value of their own that follow from another key.
fn add_derived(config: &Config, settings: &mut Vec<Setting>) {
    let derived = [
        ("plugins.dir", config.plugins_dir().display().to_string()),
        ("admin.socket", config.admin_socket().display().to_string()),
        ("database.url", config.database_url().reveal().to_owned()),
    ];
    for (path, value) in derived {
        if !settings.iter().any(|setting| setting.path == path) {
            let source = "default, in data_dir".to_owned();
            settings.push(Setting {
                path: path.to_owned(),
                value: Value::String(without_password(&value)),
                source,
            });
        }
    }
    settings.sort_by(|a, b| a.path.cmp(&b.path));
}

/// `scheme://user:***@host/...`.
fn without_password(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    match authority
        .rsplit_once('@')
        .and_then(|(userinfo, host)| Some((userinfo.split_once(':')?.0, host)))
    {
        Some((user, host)) => format!("{scheme}://{user}:***@{host}{tail}"),
        None => text.to_owned(),
    }
}
