//! What becomes of spans.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use wharf_plugin_api::{Fault, FaultCode};

use super::*;
use crate::ports::traces::{AttributeValue, RecentTraces, SpanStatus};

#[derive(Default)]
struct Kept(Mutex<Vec<Arc<FinishedSpan>>>);

impl SpanSink for Kept {
    fn take(&self, span: &Arc<FinishedSpan>) {
        self.0.lock().unwrap().push(Arc::clone(span));
    }
}

fn tracer(sample: f64) -> (Tracer, Arc<Kept>) {
    let kept = Arc::new(Kept::default());
    (Tracer::new(sample, vec![kept.clone()]), kept)
}

fn names(kept: &Kept) -> Vec<String> {
    kept.0.lock().unwrap().iter().map(|span| span.name.to_string()).collect()
}

#[test]
fn a_tracer_that_nobody_listens_to_makes_no_spans() {
    for tracer in [Tracer::off(), Tracer::new(1.0, Vec::new())] {
        let begun = tracer.begin();
        assert!(begun.is_some() && !begun.is_recorded());
        let sampled = TraceContext { flags: 1, ..begun };
        assert!(!tracer.span(&sampled, SpanKind::Server, "GET").is_recorded());
        assert!(!tracer.nested(&sampled, None, "x".to_owned()).is_recorded());
        assert_eq!(tracer.innermost(&sampled), sampled);
    }
}

#[test]
fn a_trace_is_recorded_as_its_caller_says_and_by_the_share_where_it_begins() {
    let (never, kept) = tracer(0.0);
    assert!(!never.begin().is_recorded());
    let parent = TraceContext::parse(b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").unwrap();
    drop(never.span(&parent, SpanKind::Server, "recorded"));
    let unsampled = TraceContext { flags: 0, ..parent };
    drop(never.span(&unsampled, SpanKind::Server, "not recorded"));
    drop(never.span(&TraceContext::default(), SpanKind::Server, "of no trace"));
    assert_eq!(names(&kept), ["recorded"]);
    assert_eq!(kept.0.lock().unwrap()[0].parent, Some(parent.span_id));
    let (half, _) = tracer(0.5);
    let recorded = (0..4_000).filter(|_| half.begin().is_recorded()).count();
    assert!((1_600..2_400).contains(&recorded), "{recorded} of 4000");
    let (always, _) = tracer(1.0);
    assert!((0..100).all(|_| always.begin().is_recorded()));
}

#[test]
fn a_span_ends_with_what_was_said_of_it() {
    let (tracer, kept) = tracer(1.0);
    let root = tracer.begin();
    let mut span = tracer.span(&root, SpanKind::Client, "first name").of("blog", 3).with("n", 7_u64);
    span.set("n", 8_u64);
    span.set("text", "ä".repeat(3_000));
    span.rename("name");
    let child = tracer.span(&span.context().unwrap(), SpanKind::Internal, "below");
    drop(child);
    span.fail("unavailable");
    drop(span);
    tracer.span(&root, SpanKind::Client, "never was").discard();
    let spans = kept.0.lock().unwrap();
    assert_eq!(spans.len(), 2);
    let (child, span) = (&spans[0], &spans[1]);
    assert_eq!((child.parent, child.trace_id), (Some(span.span_id), span.trace_id));
    assert_eq!((&*span.name, span.module.as_deref(), span.instance), ("name", Some("blog"), 3));
    assert_eq!(span.parent, None);
    assert_eq!(span.attribute("n"), Some(&AttributeValue::Int(8)));
    assert_eq!(span.attribute("text").unwrap().to_string().len(), 2_048);
    assert_eq!(span.status, SpanStatus::Error("unavailable".into()));
    assert!(span.ended_ns >= span.started_ns);
}

#[tokio::test]
async fn work_that_is_dropped_has_failed_and_an_error_is_its_code() {
    let (tracer, kept) = tracer(1.0);
    let root = tracer.begin();
    let span = |name: &'static str| tracer.span(&root, SpanKind::Internal, name);
    let refused = Fault::new(FaultCode::BUSY, "the canary");
    let refused = span("refused").around(async { Err::<(), _>(refused) }, |fault| fault.code.name());
    assert!(refused.await.is_err());
    assert!(span("done").around(async { Ok::<_, Fault>(1) }, |_| "never").await.is_ok());
    let pending = span("dropped").around(std::future::pending::<Result<(), Fault>>(), |_| "never");
    assert!(tokio::time::timeout(std::time::Duration::from_millis(1), pending).await.is_err());
    let spans = kept.0.lock().unwrap();
    let status = |name: &str| spans.iter().find(|span| span.name == name).unwrap().status.clone();
    assert_eq!(status("refused"), SpanStatus::Error("busy".into()));
    assert_eq!(status("done"), SpanStatus::Unset);
    assert_eq!(status("dropped"), SpanStatus::Error("cancelled".into()));
    assert!(!format!("{spans:?}").contains("canary"));
}

#[test]
fn what_a_module_does_is_below_the_innermost_span_it_has_open_in_the_call() {
    let (tracer, _kept) = tracer(1.0);
    let mut call = tracer.begin();
    call.span_id = [7; 8];
    let other = TraceContext { span_id: [8; 8], ..call };
    assert_eq!(tracer.innermost(&call), call);
    let outer = tracer.nested(&call, None, "outer".to_owned());
    let inner = tracer.nested(&call, outer.context(), "inner".to_owned());
    assert_eq!(tracer.innermost(&call), inner.context().unwrap());
    assert_eq!(tracer.innermost(&other), other);
    drop(outer);
    assert_eq!(tracer.innermost(&call), inner.context().unwrap());
    inner.discard();
    assert_eq!(tracer.innermost(&call), call);
    assert!(tracer.0.unwrap().nested.lock().unwrap().is_empty());
}

#[tokio::test]
async fn steps_are_below_the_span_that_the_thread_is_in() {
    let (tracer, kept) = tracer(1.0);
    let mut root = tracer.begin();
    root.span_id = [1; 8];
    assert!(!step("outside").is_recorded());
    {
        let _entered = enter(&tracer, root);
        drop(step("inside"));
        {
            let deeper = TraceContext { span_id: [2; 8], ..root };
            let _entered = enter(&tracer, deeper);
            drop(step("deeper"));
        }
        drop(step("back"));
    }
    let later = Box::pin(async {
        tokio::task::yield_now().await;
        drop(step("later"));
    });
    Around::new(&tracer, root, later).await;
    assert!(!step("outside").is_recorded());
    let parents: Vec<(String, Option<SpanId>)> = kept
        .0
        .lock()
        .unwrap()
        .iter()
        .map(|span| (span.name.to_string(), span.parent))
        .collect();
    let expected = [("inside", 1), ("deeper", 2), ("back", 1), ("later", 1)];
    assert_eq!(parents, expected.map(|(name, parent)| (name.to_owned(), Some([parent; 8]))));
}

#[tokio::test]
async fn every_sink_gets_every_span() {
    let (one, two) = (Arc::new(RecentTraces::new(4)), Arc::new(Kept::default()));
    let tracer = Tracer::new(1.0, vec![one.clone(), two.clone()]);
    drop(tracer.span(&tracer.begin(), SpanKind::Server, "GET /x"));
    tracer.flush().await;
    assert_eq!((one.list(None, 10).len(), names(&two).len()), (1, 1));
}
