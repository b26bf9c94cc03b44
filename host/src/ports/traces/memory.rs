//! The traces of the last minutes in memory: for development, tests, and `wharf traces`.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{FinishedSpan, SpanId, SpanSink, SpanStatus, TraceId};

/// Spans that are kept of one trace; more are counted and dropped.
pub const MOST_SPANS: usize = 1_000;
/// Spans that are kept of all traces, for each trace that may be kept.
const SPANS_A_TRACE: usize = 100;
/// What a request is known by besides its trace.
const REQUEST_ID: &str = "wharf.request.id";

/// A trace in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceRow {
    /// Its id, 32 hex digits, as in the log.
    pub trace_id: String,
    /// The name of its first span.
    pub name: String,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// From its beginning to the end of its last span so far, in microseconds.
    pub duration_us: u64,
    /// Spans so far.
    pub spans: u64,
    /// Those that failed.
    pub errors: u64,
    /// Modules it came through, sorted.
    pub modules: Vec<String>,
}

/// A whole trace.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceTree {
    /// Its id, 32 hex digits.
    pub trace_id: String,
    /// When it began.
    #[schemars(with = "String")]
    pub started: Timestamp,
    /// From its beginning to the end of its last span so far, in microseconds.
    pub duration_us: u64,
    /// Its spans by the time they began. A parent that is not among them is a caller's, or has not ended yet.
    pub spans: Vec<SpanRow>,
    /// Spans that were not kept because there were too many.
    pub dropped: u64,
}

/// One span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SpanRow {
    /// Its id, 16 hex digits.
    pub span_id: String,
    /// The span it is below; none for a first one.
    pub parent: Option<String>,
    /// What it is about.
    pub name: String,
    /// `internal`, `server`, `client`, `producer` or `consumer`.
    pub kind: String,
    /// Module it happened in; none: the host itself.
    pub module: Option<String>,
    /// Instance of the module; 0: none.
    pub instance: u64,
    /// Microseconds from the beginning of the trace to its own.
    pub offset_us: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Why it failed, in a word; none when it did not.
    pub error: Option<String>,
    /// What else is known of it.
    pub attributes: BTreeMap<String, Value>,
}

/// The last traces. The oldest goes when there are too many of them, or too many spans in all.
pub struct RecentTraces {
    most: usize,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    traces: HashMap<TraceId, Trace>,
    /// Oldest first.
    order: VecDeque<TraceId>,
    spans: usize,
}

#[derive(Default)]
struct Trace {
    spans: Vec<Arc<FinishedSpan>>,
    dropped: u64,
}

impl RecentTraces {
    /// Keeps so many traces, and at least one.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self {
            most: most.max(1),
            kept: Mutex::default(),
        }
    }

    /// The traces, newest first; only those that came through a module, if one is named.
    #[must_use]
    pub fn list(&self, module: Option<&str>, limit: usize) -> Vec<TraceRow> {
        let kept = self.lock();
        let newest = kept.order.iter().rev().filter_map(|id| Some((id, kept.traces.get(id)?)));
        let wanted = newest.filter(|(_, trace)| module.is_none_or(|module| trace.is_through(module)));
        wanted.take(limit).map(|(id, trace)| trace.row(id)).collect()
    }

    /// One trace: by its id in hex, or by the id of a request it began with.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<TraceTree> {
        let kept = self.lock();
        if let Some(trace_id) = read_hex(id)
            && let Some(trace) = kept.traces.get(&trace_id)
        {
            return Some(trace.tree(&trace_id));
        }
        let of_request = |trace: &Trace| {
            let ids = trace.spans.iter().filter_map(|span| span.attribute(REQUEST_ID));
            ids.into_iter().any(|known| known.to_string() == id)
        };
        let newest = kept.order.iter().rev().filter_map(|id| Some((id, kept.traces.get(id)?)));
        newest
            .into_iter()
            .find(|(_, trace)| of_request(trace))
            .map(|(id, trace)| trace.tree(id))
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanSink for RecentTraces {
    fn take(&self, span: &Arc<FinishedSpan>) {
        let mut kept = self.lock();
        let kept = &mut *kept;
        let trace = kept.traces.entry(span.trace_id).or_insert_with(|| {
            kept.order.push_back(span.trace_id);
            Trace::default()
        });
        if trace.spans.len() >= MOST_SPANS {
            trace.dropped += 1;
            return;
        }
        trace.spans.push(Arc::clone(span));
        kept.spans += 1;
        while kept.order.len() > 1 && (kept.order.len() > self.most || kept.spans > self.most.saturating_mul(SPANS_A_TRACE)) {
            let gone = kept.order.pop_front().and_then(|oldest| kept.traces.remove(&oldest));
            kept.spans -= gone.map_or(0, |trace| trace.spans.len());
        }
    }
}

impl Trace {
    fn is_through(&self, module: &str) -> bool {
        self.spans.iter().any(|span| span.module.as_deref() == Some(module))
    }

    fn started_ns(&self) -> u64 {
        self.spans.iter().map(|span| span.started_ns).min().unwrap_or_default()
    }

    fn duration_us(&self) -> u64 {
        let ended = self.spans.iter().map(|span| span.ended_ns).max().unwrap_or_default();
        ended.saturating_sub(self.started_ns()) / 1_000
    }

    /// The one that no other one here is above; the first to begin, of several.
    fn first(&self) -> Option<&Arc<FinishedSpan>> {
        let ids: BTreeSet<SpanId> = self.spans.iter().map(|span| span.span_id).collect();
        let is_first = |span: &&Arc<FinishedSpan>| span.parent.is_none_or(|parent| !ids.contains(&parent));
        self.spans.iter().filter(is_first).min_by_key(|span| span.started_ns)
    }

    fn row(&self, id: &TraceId) -> TraceRow {
        let modules: BTreeSet<&str> = self.spans.iter().filter_map(|span| span.module.as_deref()).collect();
        let is_error = |span: &&Arc<FinishedSpan>| span.status != SpanStatus::Unset;
        TraceRow {
            trace_id: hex(id),
            name: self.first().map(|span| span.name.to_string()).unwrap_or_default(),
            started: moment(self.started_ns()),
            duration_us: self.duration_us(),
            spans: self.spans.len() as u64 + self.dropped,
            errors: self.spans.iter().filter(is_error).count() as u64,
            modules: modules.into_iter().map(str::to_owned).collect(),
        }
    }

    fn tree(&self, id: &TraceId) -> TraceTree {
        let started = self.started_ns();
        let mut spans: Vec<&Arc<FinishedSpan>> = self.spans.iter().collect();
        spans.sort_by_key(|span| (span.started_ns, std::cmp::Reverse(span.ended_ns)));
        TraceTree {
            trace_id: hex(id),
            started: moment(started),
            duration_us: self.duration_us(),
            spans: spans.into_iter().map(|span| row(span, started)).collect(),
            dropped: self.dropped,
        }
    }
}

impl std::fmt::Debug for RecentTraces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RecentTraces").field("most", &self.most).finish_non_exhaustive()
    }
}

fn row(span: &FinishedSpan, started_ns: u64) -> SpanRow {
    SpanRow {
        span_id: hex(&span.span_id),
        parent: span.parent.map(|parent| hex(&parent)),
        name: span.name.to_string(),
        kind: span.kind.name().to_owned(),
        module: span.module.clone(),
        instance: span.instance,
        offset_us: span.started_ns.saturating_sub(started_ns) / 1_000,
        duration_us: span.duration_ns() / 1_000,
        error: match &span.status {
            SpanStatus::Unset => None,
            SpanStatus::Error(why) => Some(why.to_string()),
        },
        attributes: span
            .attributes
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_json()))
            .collect(),
    }
}

fn moment(unix_ns: u64) -> Timestamp {
    Timestamp::from_nanosecond(unix_ns.into()).unwrap_or_default()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read_hex(text: &str) -> Option<TraceId> {
    let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = is_id.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
    use super::super::SpanKind;
    use super::*;

    fn span(trace: u8, id: u8, parent: Option<u8>, module: Option<&str>) -> Arc<FinishedSpan> {
        Arc::new(FinishedSpan {
            trace_id: [trace; 16],
            span_id: [id; 8],
            parent: parent.map(|parent| [parent; 8]),
            name: format!("span {id}").into(),
            kind: SpanKind::Internal,
            started_ns: 1_000_000 + u64::from(id) * 1_000,
            ended_ns: 2_000_000,
            module: module.map(str::to_owned),
            instance: 0,
            attributes: vec![("wharf.request.id".into(), format!("request-{trace}").into())],
            status: SpanStatus::Unset,
        })
    }

    #[test]
    fn a_trace_is_listed_under_its_first_span_and_found_by_trace_and_request() {
        let recent = RecentTraces::new(4);
        // Spans end innermost first.
        recent.take(&span(7, 3, Some(2), Some("blog")));
        recent.take(&span(7, 2, Some(9), None));
        let rows = recent.list(None, 10);
        assert_eq!((rows.len(), rows[0].name.as_str(), rows[0].spans), (1, "span 2", 2));
        assert_eq!(rows[0].modules, ["blog"]);
        assert!(recent.list(Some("billing"), 10).is_empty());
        let id = "07".repeat(16);
        for asked in [id.as_str(), &id.to_uppercase(), "request-7"] {
            let tree = recent.find(asked).unwrap();
            let ids: Vec<&str> = tree.spans.iter().map(|span| span.span_id.as_str()).collect();
            assert_eq!(ids, ["02".repeat(8), "03".repeat(8)], "{asked}");
            assert_eq!((tree.spans[1].offset_us, tree.duration_us), (1, 998));
        }
        for unknown in ["", "request-8", "07", &"08".repeat(16), "+7070707070707070707070707070707"] {
            assert!(recent.find(unknown).is_none(), "{unknown}");
        }
    }

    #[test]
    fn the_oldest_traces_go_and_a_trace_that_grows_for_ever_is_cut() {
        let recent = RecentTraces::new(2);
        for trace in 1..=3 {
            recent.take(&span(trace, 1, None, None));
        }
        let ids: Vec<String> = recent.list(None, 10).into_iter().map(|row| row.trace_id).collect();
        assert_eq!(ids, ["03".repeat(16), "02".repeat(16)]);
        assert_eq!(recent.list(None, 1).len(), 1);
        for _ in 0..MOST_SPANS + 5 {
            recent.take(&span(4, 1, None, None));
        }
        let tree = recent.find(&"04".repeat(16)).unwrap();
        assert_eq!((tree.spans.len(), tree.dropped), (MOST_SPANS, 5));
        // It alone is more than two traces may hold.
        assert_eq!(recent.list(None, 10).len(), 1);
        recent.take(&span(5, 1, None, None));
        assert_eq!(recent.list(None, 10).len(), 1, "what is newest stays");
    }
}
