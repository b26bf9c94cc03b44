//! What is seen of a space from outside: numbers, and statements that were slow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use metrics::{Counter, Gauge, Histogram};

use crate::ports::database::{DbError, Usage};
use crate::telemetry::Metrics;

/// Numbers of one space.
pub(super) struct Sight {
    module: String,
    slow_after: Duration,
    statements: AtomicU64,
    errors: AtomicU64,
    slow: AtomicU64,
    shown: Option<Shown>,
}

/// Those that go into `/metrics`.
struct Shown {
    metrics: Metrics,
    statements: Counter,
    slow: Counter,
    aged: Counter,
    seconds: Histogram,
    gauges: [Gauge; 5],
}

/// What has been counted.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counted {
    pub(super) statements: u64,
    pub(super) errors: u64,
    pub(super) slow: u64,
}

/// A text this long tells what a statement is.
const SHOWN_SQL: usize = 2_000;

impl Sight {
    pub(super) fn new(module: &str, slow_after: Duration, metrics: Option<&Metrics>) -> Self {
        Self {
            module: module.to_owned(),
            slow_after,
            statements: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            shown: metrics.map(|metrics| Shown::new(metrics, module)),
        }
    }

    /// A statement has ended. Its time holds the waiting for a connection.
    pub(super) fn ended<T>(&self, sql: &str, began: Instant, result: &Result<T, DbError>) {
        let took = began.elapsed();
        self.statements.fetch_add(1, Ordering::Relaxed);
        if let Some(shown) = &self.shown {
            shown.statements.increment(1);
            shown.seconds.record(took.as_secs_f64());
        }
        if let Err(error) = result {
            self.failed(error);
        }
        if took > self.slow_after {
            self.slow.fetch_add(1, Ordering::Relaxed);
            if let Some(shown) = &self.shown {
                shown.slow.increment(1);
            }
            let (sql, took) = (shortened(sql), took.as_millis() as u64);
            tracing::warn!(module = self.module, duration_ms = took, sql, "slow statement");
        }
    }

    /// Something other than a statement failed.
    pub(super) fn failed(&self, error: &DbError) {
        self.errors.fetch_add(1, Ordering::Relaxed);
        if let Some(shown) = &self.shown {
            let labels = [("module", self.module.as_str()), ("kind", error.kind.name())];
            shown.metrics.own_counter("wharf_db_errors_total", &labels).increment(1);
        }
    }

    /// A transaction or cursor was too old.
    pub(super) fn aged(&self) {
        if let Some(shown) = &self.shown {
            shown.aged.increment(1);
        }
    }

    /// What is open now.
    pub(super) fn observe(&self, usage: Usage) {
        let Some(shown) = &self.shown else { return };
        let open = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        let values = [
            usage.in_use,
            usage.idle,
            usage.waiting,
            open(usage.transactions),
            open(usage.cursors),
        ];
        for (gauge, value) in shown.gauges.iter().zip(values) {
            gauge.set(f64::from(value));
        }
    }

    pub(super) fn counted(&self) -> Counted {
        Counted {
            statements: self.statements.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
            slow: self.slow.load(Ordering::Relaxed),
        }
    }
}

impl Shown {
    fn new(metrics: &Metrics, module: &str) -> Self {
        let labels = [("module", module)];
        let gauge = |name| metrics.own_gauge(name, &labels);
        Self {
            metrics: metrics.clone(),
            statements: metrics.own_counter("wharf_db_statements_total", &labels),
            slow: metrics.own_counter("wharf_db_slow_statements_total", &labels),
            aged: metrics.own_counter("wharf_db_aged_total", &labels),
            seconds: metrics.own_histogram("wharf_db_statement_duration_seconds", &labels),
            gauges: [
                gauge("wharf_db_connections_in_use"),
                gauge("wharf_db_connections_idle"),
                gauge("wharf_db_waiting"),
                gauge("wharf_db_transactions_open"),
                gauge("wharf_db_cursors_open"),
            ],
        }
    }
}

/// The start of a text, up to a whole character.
fn shortened(sql: &str) -> &str {
    sql.get(..sql.floor_char_boundary(SHOWN_SQL)).unwrap_or(sql)
}
