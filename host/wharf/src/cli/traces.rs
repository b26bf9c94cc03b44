//! `wharf traces`: the requests, events and jobs of the last minutes, each as a tree.

use std::collections::{BTreeMap, HashSet};

use clap::Subcommand;
use wharf_host::ports::traces::{SpanRow, TraceRow, TraceTree};

use super::context::Context;
use super::exit::{Exit, Failure};
use super::render;

/// Deepest branch that is drawn.
const DEEPEST: usize = 64;
/// Columns of a name with its branches.
const WIDEST: usize = 72;
/// Attributes that are always shown beside a span, and what they are called there.
const SHOWN: &[(&str, &str)] = &[
    ("wharf.cache.hit", "hit"),
    ("wharf.attempt", "attempt"),
    ("messaging.consumer.group.name", "subscription"),
    ("http.response.status_code", "status"),
];

/// What to do with traces.
#[derive(Clone, Debug, Subcommand)]
pub(crate) enum TracesCommand {
    /// Traces in memory, newest first
    List {
        /// Only those that came through this module
        #[arg(long)]
        module: Option<String>,
        /// How many
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// One trace as a tree
    Show {
        /// Its id, or that of a request: `trace.id` and `request.id` in the log
        id: String,
        /// With everything that is known of each span
        #[arg(long)]
        attributes: bool,
    },
}

pub(super) async fn run(context: &Context, command: &TracesCommand) -> Result<Exit, Failure> {
    match command {
        TracesCommand::List { module, limit } => {
            let module = module.as_ref().map(|module| format!("&module={}", render::in_query(module)));
            let path = format!("/traces?limit={limit}{}", module.unwrap_or_default());
            let rows: Vec<TraceRow> = context.client()?.get(&path).await?;
            context.emit(&rows, |rows| table(rows));
        }
        TracesCommand::Show { id, attributes } => {
            let tree: TraceTree = context.client()?.get(&format!("/traces/{}", render::in_query(id))).await?;
            context.emit(&tree, |tree| draw(tree, *attributes));
        }
    }
    Ok(Exit::Ok)
}

fn table(rows: &[TraceRow]) -> String {
    if rows.is_empty() {
        return "no traces".to_owned();
    }
    let cells = rows.iter().map(|row| {
        vec![
            row.trace_id.clone(),
            format!("{:.3}", row.started),
            milliseconds(row.duration_us),
            row.spans.to_string(),
            row.errors.to_string(),
            row.name.clone(),
            row.modules.join(", "),
        ]
    });
    render::table(&["TRACE", "STARTED", "MS", "SPANS", "ERRORS", "NAME", "MODULES"], cells)
}

/// The tree: every span below its parent, in the order in which they began. Spans whose parent is elsewhere are first ones.
fn draw(tree: &TraceTree, with_attributes: bool) -> String {
    let ids: HashSet<&str> = tree.spans.iter().map(|span| span.span_id.as_str()).collect();
    let mut below: BTreeMap<Option<&str>, Vec<&SpanRow>> = BTreeMap::new();
    for span in &tree.spans {
        let parent = span
            .parent
            .as_deref()
            .filter(|parent| ids.contains(parent) && *parent != span.span_id);
        below.entry(parent).or_default().push(span);
    }
    let mut lines = Vec::new();
    let mut branches = Branches {
        below: &below,
        with_attributes,
        lines: &mut lines,
    };
    branches.grow(None, "", 0);
    let head = format!(
        "trace    {}\nstarted  {:.3}\ntook     {} ms\n\n",
        tree.trace_id,
        tree.started,
        milliseconds(tree.duration_us)
    );
    let dropped = match tree.dropped {
        0 => String::new(),
        dropped => format!("\n\n{dropped} more spans were not kept"),
    };
    let widths = render::table(&["SPAN", "MODULE", "START", "MS", ""], lines);
    format!("{head}{widths}{dropped}")
}

struct Branches<'a, 'l> {
    below: &'a BTreeMap<Option<&'a str>, Vec<&'a SpanRow>>,
    with_attributes: bool,
    lines: &'l mut Vec<Vec<String>>,
}

impl Branches<'_, '_> {
    fn grow(&mut self, parent: Option<&str>, before: &str, depth: usize) {
        let spans = self.below.get(&parent).map(Vec::as_slice).unwrap_or_default();
        for (index, span) in spans.iter().enumerate() {
            let is_last = index + 1 == spans.len();
            let (branch, trunk) = match (depth, is_last) {
                (0, _) => ("", ""),
                (_, true) => ("`- ", "   "),
                (_, false) => ("|- ", "|  "),
            };
            let name: String = format!("{before}{branch}{}", span.name).chars().take(WIDEST).collect();
            self.lines.push(vec![
                name,
                span.module.clone().unwrap_or_else(|| "-".to_owned()),
                format!("+{}", milliseconds(span.offset_us)),
                milliseconds(span.duration_us),
                self.remarks(span),
            ]);
            if depth < DEEPEST {
                self.grow(Some(&span.span_id), &format!("{before}{trunk}"), depth + 1);
            }
        }
    }

    fn remarks(&self, span: &SpanRow) -> String {
        let error = span.error.as_ref().map(|error| format!("ERROR {error}"));
        let shown = span.attributes.iter().filter_map(|(name, value)| {
            let short = SHOWN.iter().find(|(known, _)| known == name).map(|(_, short)| *short);
            let name = if self.with_attributes { name.as_str() } else { short? };
            Some(match value {
                serde_json::Value::String(text) => format!("{name}={text}"),
                value => format!("{name}={value}"),
            })
        });
        error.into_iter().chain(shown).collect::<Vec<_>>().join(" ")
    }
}

fn milliseconds(microseconds: u64) -> String {
    format!("{}.{:03}", microseconds / 1_000, microseconds % 1_000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn span(id: &str, parent: Option<&str>, name: &str, module: Option<&str>, offset_us: u64) -> SpanRow {
        SpanRow {
            span_id: id.to_owned(),
            parent: parent.map(str::to_owned),
            name: name.to_owned(),
            kind: "internal".to_owned(),
            module: module.map(str::to_owned),
            instance: 1,
            offset_us,
            duration_us: 1_500,
            error: (name == "SELECT posts").then(|| "busy".to_owned()),
            attributes: BTreeMap::from([
                ("wharf.attempt".to_owned(), 1.into()),
                ("db.query.text".to_owned(), "SELECT \u{1b}[31m".into()),
            ]),
        }
    }

    fn tree(spans: Vec<SpanRow>) -> TraceTree {
        TraceTree {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            started: "2026-01-31T10:00:00Z".parse().unwrap(),
            duration_us: 12_345,
            spans,
            dropped: 2,
        }
    }

    #[test]
    fn a_trace_is_drawn_as_a_tree_with_modules_and_durations() {
        let tree = tree(vec![
            span("a", Some("of-the-caller"), "POST /blog/posts", None, 0),
            span("b", Some("a"), "authenticate", None, 10),
            span("c", Some("a"), "handle", Some("blog"), 20),
            span("d", Some("c"), "SELECT posts", Some("blog"), 30),
            span("e", Some("c"), "publish x", Some("blog"), 2_040),
        ]);
        let text = draw(&tree, false);
        let lines: Vec<&str> = text.lines().skip(5).map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "POST /blog/posts    -       +0.000  1.500  attempt=1",
                "|- authenticate     -       +0.010  1.500  attempt=1",
                "`- handle           blog    +0.020  1.500  attempt=1",
                "   |- SELECT posts  blog    +0.030  1.500  ERROR busy attempt=1",
                "   `- publish x     blog    +2.040  1.500  attempt=1",
                "",
                "2 more spans were not kept",
            ],
            "{text}"
        );
        assert!(text.contains("took     12.345 ms"), "{text}");
        let whole = draw(&tree, true);
        assert!(whole.contains("db.query.text=SELECT \\u{1b}[31m"), "{whole}");
    }

    #[test]
    fn spans_that_are_each_others_parent_do_not_hang_the_drawing() {
        let text = draw(&tree(vec![span("a", Some("a"), "self", None, 0)]), false);
        assert!(text.contains("self"), "{text}");
        let text = draw(
            &tree(vec![span("a", Some("b"), "one", None, 0), span("b", Some("a"), "two", None, 0)]),
            false,
        );
        assert!(!text.contains("one"), "{text}");
    }
}
