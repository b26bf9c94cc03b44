//! From a generic document to a typed one, collecting everything that is wrong on the way.

use semver::{Version, VersionReq};
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::problem::{Problem, code};

/// At most so many unknown keys are reported; a document with more is not a manifest.
const MAX_UNKNOWN: usize = 32;

/// Reads a document of type `T` that has `version` and `modules` where a manifest has them.
///
/// Versions, ranges and unknown keys that are wrong are replaced or removed and reported beside the value, so
/// that one of them does not hide what else is wrong.
pub(crate) fn read<T: DeserializeOwned>(mut document: Value) -> (Option<T>, Vec<Problem>) {
    let mut problems = Vec::new();
    lift_versions(&mut document, &mut problems);
    loop {
        match serde_path_to_error::deserialize::<_, T>(&document) {
            Ok(value) => return (Some(value), problems),
            Err(error) => {
                let segments: Vec<Segment> = error.path().iter().cloned().collect();
                let problem = from_serde(&path_of(&segments), &error.inner().to_string());
                let again = problem.code == code::UNKNOWN_KEY && problems.len() < MAX_UNKNOWN && remove(&mut document, &segments);
                problems.push(problem);
                if !again {
                    return (None, problems);
                }
            }
        }
    }
}

/// Replaces versions and ranges that cannot be read, and spells `name = "^1"` as a table.
fn lift_versions(document: &mut Value, problems: &mut Vec<Problem>) {
    if let Some(Value::String(text)) = document.get_mut("version")
        && let Err(error) = text.parse::<Version>()
    {
        problems.push(Problem::new(code::VERSION, "version", format!("found {text:?}: {error}")));
        "0.0.0".clone_into(text);
    }
    let Some(Value::Object(modules)) = document.get_mut("modules") else {
        return;
    };
    for (id, requirement) in modules {
        if requirement.is_string() {
            *requirement = serde_json::json!({ "version": requirement.take() });
        }
        if let Some(Value::String(text)) = requirement.get_mut("version")
            && let Err(error) = text.parse::<VersionReq>()
        {
            problems.push(Problem::new(
                code::RANGE,
                format!("modules.{id}"),
                format!("found {text:?}: {error}"),
            ));
            "*".clone_into(text);
        }
    }
}

fn from_serde(path: &str, message: &str) -> Problem {
    let code = if message.starts_with("unknown field") {
        code::UNKNOWN_KEY
    } else if message.starts_with("missing field") {
        code::MISSING
    } else {
        code::TYPE
    };
    Problem::new(code, path, message)
}

fn path_of(segments: &[Segment]) -> String {
    let mut path = String::new();
    for segment in segments {
        match segment {
            Segment::Seq { index } => path.push_str(&format!("[{index}]")),
            Segment::Map { key } | Segment::Enum { variant: key } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
            Segment::Unknown => {}
        }
    }
    path
}

/// Removes the key a path ends with; says whether it was there.
fn remove(document: &mut Value, segments: &[Segment]) -> bool {
    let Some((Segment::Map { key: last }, parents)) = segments.split_last() else {
        return false;
    };
    let mut at = document;
    for segment in parents {
        let next = match segment {
            Segment::Seq { index } => at.get_mut(*index),
            Segment::Map { key } | Segment::Enum { variant: key } => at.get_mut(key),
            Segment::Unknown => None,
        };
        let Some(next) = next else {
            return false;
        };
        at = next;
    }
    at.as_object_mut().is_some_and(|table| table.shift_remove(last).is_some())
}
