//! How a log line looks: text for people, JSON for programs.

use std::fmt::Write as _;

use serde_json::{Map, Value};
use tracing::Level;

use super::clean::clean;
use super::record::{FieldValue, Record, SpanFields};

/// Appends one line, with its line end, for people.
pub(super) fn text(record: &Record<'_>, colours: bool, line: &mut String) {
    let paint = Paint(colours);
    push(line, format_args!("{}{:.3}{} ", paint.dim(), record.at, paint.off()));
    push(
        line,
        format_args!("{}{:>5}{} ", paint.level(record.level), record.level, paint.off()),
    );
    for span in record.spans {
        push(line, format_args!("{}", clean(span.name)));
        if !span.fields.is_empty() {
            line.push('{');
            pairs(line, span.fields);
            line.push('}');
        }
        line.push_str(": ");
    }
    push(line, format_args!("{}{}:{} ", paint.dim(), clean(record.target), paint.off()));
    line.push_str(&clean(record.message));
    if !record.fields.is_empty() {
        line.push(' ');
        pairs(line, record.fields);
    }
    if let Some(origin) = &record.origin {
        push(
            line,
            format_args!(
                " {}module.id={} module.instance={}",
                paint.dim(),
                clean(origin.module),
                origin.instance
            ),
        );
        if let Some(id) = origin.request_id {
            push(line, format_args!(" request.id={}", clean(id)));
        }
        if let Some(id) = origin.trace_hex() {
            push(line, format_args!(" trace.id={id}"));
        }
        line.push_str(paint.off());
    }
    line.push('\n');
}

/// Appends one line, with its line end, as a JSON object. Fields of the event stand under `fields`, so that none can pass for one of the host's.
pub(super) fn json(record: &Record<'_>, line: &mut String) {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| object.insert(key.to_owned(), value);
    put("timestamp", format!("{:.3}", record.at).into());
    put("level", record.level.as_str().into());
    put("target", record.target.into());
    put("message", record.message.into());
    if let Some(origin) = &record.origin {
        put("module.id", origin.module.into());
        put("module.instance", origin.instance.into());
        put("module.generation", origin.generation.into());
        let ids = [
            ("request.id", origin.request_id.map(str::to_owned)),
            ("trace.id", origin.trace_hex()),
            ("span.id", origin.span_hex()),
        ];
        for (key, value) in ids {
            value.and_then(|value| put(key, value.into()));
        }
    }
    if !record.fields.is_empty() {
        put("fields", Value::Object(object_of(record.fields)));
    }
    if !record.spans.is_empty() {
        put("spans", record.spans.iter().map(span_object).collect());
    }
    record.file.and_then(|file| put("file", file.into()));
    record.line.and_then(|number| put("line", number.into()));
    push(line, format_args!("{}\n", Value::Object(object)));
}

/// Fields as a JSON object; of two with one name the last counts.
pub(super) fn object_of(fields: &[(&str, FieldValue<'_>)]) -> Map<String, Value> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_json())).collect()
}

fn span_object(span: &SpanFields<'_>) -> Value {
    let mut object = Map::new();
    object.insert("name".to_owned(), span.name.into());
    if !span.fields.is_empty() {
        object.insert("fields".to_owned(), Value::Object(object_of(span.fields)));
    }
    Value::Object(object)
}

fn pairs(line: &mut String, fields: &[(&str, FieldValue<'_>)]) {
    for (index, (name, value)) in fields.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        line.push_str(&clean(name));
        line.push('=');
        match value {
            FieldValue::Bool(value) => push(line, format_args!("{value}")),
            FieldValue::I64(number) => push(line, format_args!("{number}")),
            FieldValue::U64(number) => push(line, format_args!("{number}")),
            FieldValue::F64(number) => push(line, format_args!("{number}")),
            FieldValue::Text(text) if is_word(text) => line.push_str(text),
            FieldValue::Text(text) => push(line, format_args!("\"{}\"", clean(text).replace('"', "\\\""))),
        }
    }
}

/// Text that can stand without quotes and be told from what follows.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\' | '{' | '}'))
}

/// Writing to a `String` cannot fail.
fn push(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = line.write_fmt(arguments);
}

/// Colours, or nothing.
struct Paint(bool);

impl Paint {
    fn level(&self, level: Level) -> &'static str {
        match (self.0, level) {
            (false, _) => "",
            (_, Level::ERROR) => "\x1b[31m",
            (_, Level::WARN) => "\x1b[33m",
            (_, Level::INFO) => "\x1b[32m",
            (_, Level::DEBUG) => "\x1b[34m",
            (_, _) => "\x1b[35m",
        }
    }

    fn dim(&self) -> &'static str {
        if self.0 { "\x1b[2m" } else { "" }
    }

    fn off(&self) -> &'static str {
        if self.0 { "\x1b[0m" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::super::record::Origin;
    use super::*;

    fn with_record(check: impl Fn(&Record<'_>)) {
        let fields = [
            ("status", FieldValue::U64(200)),
            ("path", FieldValue::from("/a b\n\u{1b}[2J")),
            ("ratio", FieldValue::F64(f64::NAN)),
        ];
        let span_fields = [("id", FieldValue::from("7"))];
        check(&Record {
            at: "2026-01-02T03:04:05.678Z".parse().unwrap(),
            level: Level::WARN,
            target: "blog::posts",
            file: Some("src/lib.rs"),
            line: Some(9),
            message: "slow\nquery",
            fields: &fields,
            spans: &[SpanFields {
                name: "show",
                fields: &span_fields,
            }],
            origin: Some(Origin {
                module: "blog",
                instance: 3,
                generation: 2,
                request_id: Some("r-1"),
                trace_id: Some([0xab; 16]),
                span_id: Some([0; 8]),
            }),
        });
    }

    #[test]
    fn text_is_one_clean_line() {
        with_record(|record| {
            let mut line = String::new();
            text(record, false, &mut line);
            assert_eq!(
                line,
                "2026-01-02T03:04:05.678Z  WARN show{id=7}: blog::posts: slow\\nquery status=200 path=\"/a b\\n\\u{1b}[2J\" ratio=NaN \
                 module.id=blog module.instance=3 request.id=r-1 trace.id=abababababababababababababababab\n"
            );
        });
    }

    #[test]
    fn json_is_one_object_a_line() {
        with_record(|record| {
            let mut line = String::new();
            json(record, &mut line);
            assert_eq!(line.matches('\n').count(), 1);
            let value: Value = serde_json::from_str(&line).unwrap();
            let expected = serde_json::json!({
                "timestamp": "2026-01-02T03:04:05.678Z", "level": "WARN", "target": "blog::posts", "message": "slow\nquery",
                "module.id": "blog", "module.instance": 3, "module.generation": 2, "request.id": "r-1",
                "trace.id": "abababababababababababababababab",
                "fields": { "status": 200, "path": "/a b\n\u{1b}[2J", "ratio": "NaN" },
                "spans": [{ "name": "show", "fields": { "id": "7" } }], "file": "src/lib.rs", "line": 9
            });
            assert_eq!(value, expected);
        });
    }
}
