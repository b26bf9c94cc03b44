//! Which keys there are, read from the schema, so that there is one list only.

use serde_json::{Map, Value};

use super::error::Problem;

/// What may stand at a path.
pub(super) enum Shape<'s> {
    /// A table with these keys and no others.
    Table(&'s Map<String, Value>),
    /// A table with any keys; the schema of each value.
    Free(&'s Value),
    /// A list; the schema of each item.
    List(&'s Value),
    /// One value; the names of the JSON types it may have.
    Leaf(Vec<&'s str>),
}

/// The known keys.
pub(super) struct Known {
    schema: Value,
}

impl Known {
    pub(super) fn new() -> Self {
        Self { schema: schema() }
    }

    /// The shape at a path, if such a path is known. Inside a module's section everything is.
    pub(super) fn at(&self, path: &[String]) -> Option<Shape<'_>> {
        let mut shape = self.shape(&self.schema);
        for key in path {
            shape = match shape {
                Shape::Table(known) => self.shape(known.get(key)?),
                Shape::Free(each) => self.shape(each),
                Shape::List(_) | Shape::Leaf(_) => return None,
            };
        }
        Some(shape)
    }

    /// Every key in `tree` that nobody knows.
    pub(super) fn unknown(&self, tree: &Value, source: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        self.visit(&self.schema, tree, &mut Vec::new(), source, &mut problems);
        problems
    }

    fn visit(&self, schema: &Value, tree: &Value, path: &mut Vec<String>, source: &str, problems: &mut Vec<Problem>) {
        match (self.shape(schema), tree) {
            (Shape::Table(known), Value::Object(entries)) => {
                for (key, value) in entries {
                    path.push(key.clone());
                    match known.get(key) {
                        Some(inner) => self.visit(inner, value, path, source, problems),
                        None => problems.push(unknown_key(path, key, known, source)),
                    }
                    path.pop();
                }
            }
            (Shape::Free(each), Value::Object(entries)) => {
                for (key, value) in entries {
                    path.push(key.clone());
                    self.visit(each, value, path, source, problems);
                    path.pop();
                }
            }
            (Shape::List(each), Value::Array(items)) => {
                for (index, value) in items.iter().enumerate() {
                    path.push(index.to_string());
                    self.visit(each, value, path, source, problems);
                    path.pop();
                }
            }
            // A value of the wrong type is reported by the typed reading.
            _ => {}
        }
    }

    fn shape<'s>(&'s self, schema: &'s Value) -> Shape<'s> {
        let schema = self.resolve(schema);
        if let Some(Value::Object(properties)) = schema.get("properties") {
            return Shape::Table(properties);
        }
        match schema.get("type") {
            Some(Value::String(kind)) if kind == "object" => Shape::Free(schema.get("additionalProperties").unwrap_or(&Value::Bool(true))),
            Some(Value::String(kind)) if kind == "array" => Shape::List(schema.get("items").unwrap_or(&Value::Bool(true))),
            _ if schema.is_boolean() => Shape::Free(&Value::Bool(true)),
            _ => {
                let mut kinds = Vec::new();
                self.kinds(schema, &mut kinds);
                Shape::Leaf(kinds)
            }
        }
    }

    /// Follows `$ref`, and takes the one alternative that is not null.
    fn resolve<'s>(&'s self, schema: &'s Value) -> &'s Value {
        if let Some(target) = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|r| self.schema.pointer(r.trim_start_matches('#')))
        {
            return self.resolve(target);
        }
        let null = |s: &&Value| s.get("type").and_then(Value::as_str) != Some("null");
        match schema
            .get("anyOf")
            .and_then(Value::as_array)
            .map(|all| all.iter().filter(null).collect::<Vec<_>>())
        {
            Some(rest) if rest.len() == 1 => rest.first().map_or(schema, |only| self.resolve(only)),
            _ => schema,
        }
    }

    fn kinds<'s>(&'s self, schema: &'s Value, kinds: &mut Vec<&'s str>) {
        match schema.get("type") {
            Some(Value::String(kind)) => kinds.push(kind),
            Some(Value::Array(all)) => kinds.extend(all.iter().filter_map(Value::as_str)),
            _ => {}
        }
        for alternatives in ["anyOf", "oneOf"] {
            for inner in schema.get(alternatives).and_then(Value::as_array).into_iter().flatten() {
                self.kinds(self.resolve(inner), kinds);
            }
        }
    }
}

/// JSON schema of the whole file.
pub(super) fn schema() -> Value {
    schemars::schema_for!(super::Config).to_value()
}

/// Whether a value at this path is one nobody should read over a shoulder.
pub(super) fn is_secret(path: &[String]) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passwd",
        "passphrase",
        "secret",
        "token",
        "credential",
        "credentials",
        "apikey",
    ];
    const ENDS: &[&str] = &["api_key", "private_key", "secret_key", "access_key", "master_key", "signing_key"];
    // A list of fields of a request, one of which is a token as a rule.
    if path.ends_with(&["otlp".to_owned(), "headers".to_owned()]) {
        return true;
    }
    path.last().is_some_and(|key| {
        let key = key.to_ascii_lowercase().replace('-', "_");
        key.split('_').any(|word| WORDS.contains(&word)) || ENDS.iter().any(|end| key.ends_with(end))
    })
}

/// The known name that is nearest to a mistyped one, if any is near.
pub(super) fn nearest<'k>(found: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let limit = (found.chars().count() / 3).max(2);
    known
        .map(|name| (distance(found, name), name))
        .filter(|(d, _)| *d <= limit)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

fn unknown_key(path: &[String], key: &str, known: &Map<String, Value>, source: &str) -> Problem {
    let hint = match nearest(key, known.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known here: {}", known.keys().map(String::as_str).collect::<Vec<_>>().join(", ")),
    };
    Problem {
        path: path.join("."),
        what: "unknown key".to_owned(),
        source: source.to_owned(),
        hint,
    }
}

/// Levenshtein distance by characters, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, cb) in row.iter_mut().skip(1).zip(&b) {
            let replaced = diagonal + usize::from(ca != *cb);
            diagonal = *cell;
            left = replaced.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, expected) in [
            ("", "", 0),
            ("listen", "lisen", 1),
            ("kitten", "sitting", 3),
            ("abc", "", 3),
            ("", "ab", 2),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn names_of_secrets_are_recognised() {
        for key in ["password", "db_password", "api-key", "auth_token", "client_secret"] {
            assert!(is_secret(&[key.to_owned()]), "{key}");
        }
        for key in ["key", "keys", "tokens_per_second_limit_name", "page_size", "monkey"] {
            assert!(!is_secret(&[key.to_owned()]), "{key}");
        }
    }
}
