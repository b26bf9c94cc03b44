//! Bodies, in either direction.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoResponses, ToSchema};

use super::query::Width;
use crate::domain::{Period, Sums};
use crate::intake::{NewEvent, NewView};
use crate::reader;
use crate::recorder::Outcome;

/// One custom event.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventBody {
    /// What is counted.
    #[schema(max_length = 100, pattern = "^custom(\\.[a-z0-9_]+)+$", example = "custom.jobs.done")]
    metric: String,
    /// When it happened, at most five minutes ahead; now when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// What is added up; 1 when left out.
    #[schema(minimum = -1_000_000_000_000_i64, maximum = 1_000_000_000_000_i64)]
    value: Option<i64>,
    /// By what it is counted beside the total: at most eight, each value 1 to 200 characters.
    #[serde(default)]
    #[schema(example = json!({ "queue": "mail" }))]
    dimensions: BTreeMap<String, String>,
    /// Counts once, however often it is sent; only together with `at`.
    #[schema(min_length = 1, max_length = 64)]
    id: Option<String>,
}

/// Custom events: all of them are counted, or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BatchBody {
    /// At most 1000.
    #[schema(min_items = 1, max_items = 1000)]
    pub(crate) events: Vec<EventBody>,
}

/// A look at a page.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ViewBody {
    /// Path of the page; what follows `?` or `#` is not kept. At most 200 characters are left then.
    #[schema(min_length = 1, max_length = 2000, pattern = "^/", example = "/posts/hello")]
    path: String,
    /// Where the reader came from, best the name of a host.
    #[schema(min_length = 1, max_length = 200, example = "example.org")]
    referrer: Option<String>,
    /// When; now when left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    at: Option<Timestamp>,
    /// Counts once, however often it is sent; only together with `at`.
    #[schema(min_length = 1, max_length = 64)]
    id: Option<String>,
}

/// What became of events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordedBody {
    /// Counted now.
    #[schema(minimum = 0)]
    recorded: u64,
    /// Counted before, by their id.
    #[schema(minimum = 0)]
    duplicates: u64,
    /// Of the counted ones: too old for buckets of a minute or an hour, so only in wider ones.
    #[schema(minimum = 0)]
    late: u64,
}

/// A page of metrics.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetricsBody {
    /// In the order of their names.
    pub(crate) items: Vec<MetricBody>,
    /// Asks for the next page; empty on the last one.
    pub(crate) next_page_token: String,
}

/// One metric.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetricBody {
    /// Such as `blog.post.viewed`.
    #[schema(example = "blog.post.viewed")]
    name: String,
    /// By what it can be asked for.
    #[schema(example = json!(["post"]))]
    dimensions: Vec<String>,
    /// When it was first counted.
    #[schema(value_type = String, format = DateTime)]
    first_seen: Timestamp,
    /// What came too late.
    late: LateBody,
}

/// Records that came too late.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LateBody {
    /// For buckets of a minute; they are in wider ones.
    minute: i64,
    /// For buckets of an hour; they are in days.
    hour: i64,
    /// Counted nowhere: events that are older than their ids are kept.
    uncounted: i64,
}

/// A series.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeriesBody {
    /// As asked for.
    pub(crate) metric: String,
    /// As asked for.
    pub(crate) grain: Width,
    /// Whose days.
    pub(crate) zone: String,
    /// Beginning of the first point.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) from: Timestamp,
    /// End of the last point.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) to: Timestamp,
    /// Oldest first, without gaps.
    #[schema(max_items = 2000)]
    pub(crate) points: Vec<PointBody>,
}

/// One point.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PointBody {
    /// Its beginning.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) at: Timestamp,
    /// The day in the zone, with grain `day`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, format = Date, required = false, nullable = false)]
    pub(crate) date: Option<String>,
    /// How many records.
    #[schema(minimum = 0)]
    pub(crate) count: i64,
    /// What their values add up to.
    pub(crate) sum: i64,
}

/// A top list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopBody {
    /// As asked for.
    pub(crate) metric: String,
    /// By which dimension.
    pub(crate) dimension: String,
    /// Beginning of what is covered: whole buckets that are kept.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) from: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) to: Timestamp,
    /// Those with the most first.
    #[schema(max_items = 1000)]
    pub(crate) items: Vec<RankedBody>,
}

/// One value of a dimension.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RankedBody {
    /// Such as the id of a post.
    pub(crate) value: String,
    /// How many records.
    #[schema(minimum = 0)]
    pub(crate) count: i64,
    /// What their values add up to.
    pub(crate) sum: i64,
}

/// Totals of a period.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TotalsBody {
    /// As asked for.
    pub(crate) metric: String,
    /// Beginning of what is covered: whole buckets that are kept.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) from: Timestamp,
    /// Its end.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) to: Timestamp,
    /// How many records.
    #[schema(minimum = 0)]
    pub(crate) count: i64,
    /// What their values add up to.
    pub(crate) sum: i64,
}

/// What went wrong (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProblemBody {
    /// What sort of problem.
    r#type: String,
    /// The status in words.
    title: String,
    /// The status.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A sentence for people.
    detail: String,
    /// For programs; what the host answers itself has none.
    code: Option<String>,
    /// By which it is found in the log, in what the host answers itself; the header field `x-request-id` always has it.
    request_id: Option<String>,
}

/// What may go wrong with what is asked.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "a part of the document")]
pub(crate) enum Refused {
    /// The query is none.
    #[response(status = 400, content_type = "application/problem+json")]
    Query(ProblemBody),
    /// There is no such metric or dimension.
    #[response(status = 404, content_type = "application/problem+json")]
    Unknown(ProblemBody),
    /// It makes no sense, is too much, or is not kept any more.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemBody),
    /// The database does not answer in time.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

/// What may go wrong with what is sent.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "a part of the document")]
pub(crate) enum NotTaken {
    /// The body is no JSON.
    #[response(status = 400, content_type = "application/problem+json")]
    Syntax(ProblemBody),
    /// The body is too long.
    #[response(status = 413, content_type = "application/problem+json")]
    Long(ProblemBody),
    /// The body is not said to be JSON.
    #[response(status = 415, content_type = "application/problem+json")]
    Kind(ProblemBody),
    /// An event makes no sense; the sentence says which and why.
    #[response(status = 422, content_type = "application/problem+json")]
    Unprocessable(ProblemBody),
    /// The database does not answer in time.
    #[response(status = 503, content_type = "application/problem+json")]
    Unavailable(ProblemBody),
}

impl From<EventBody> for NewEvent {
    fn from(body: EventBody) -> Self {
        Self {
            metric: body.metric,
            at: body.at,
            value: body.value,
            dimensions: body.dimensions,
            id: body.id,
        }
    }
}

impl From<ViewBody> for NewView {
    fn from(body: ViewBody) -> Self {
        Self {
            path: body.path,
            referrer: body.referrer,
            at: body.at,
            id: body.id,
        }
    }
}

impl From<Outcome> for RecordedBody {
    fn from(outcome: Outcome) -> Self {
        Self {
            recorded: outcome.recorded,
            duplicates: outcome.duplicates,
            late: outcome.late,
        }
    }
}

impl From<reader::Metric> for MetricBody {
    fn from(metric: reader::Metric) -> Self {
        Self {
            name: metric.name,
            dimensions: metric.dimensions,
            first_seen: time(metric.first_seen),
            late: LateBody {
                minute: metric.late_minutes,
                hour: metric.late_hours,
                uncounted: metric.uncounted,
            },
        }
    }
}

impl From<(String, Sums)> for RankedBody {
    fn from((value, sums): (String, Sums)) -> Self {
        Self {
            value,
            count: sums.count,
            sum: sums.sum,
        }
    }
}

/// Seconds since 1970 as a time; all there are come from times.
pub(crate) fn time(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap_or_default()
}

/// Both ends of a period.
pub(crate) fn ends(period: Period) -> (Timestamp, Timestamp) {
    (time(period.from), time(period.to))
}
