//! What is asked for in the query of a URI.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::domain::Grain;
use crate::reader;

/// Width of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Width {
    /// A minute.
    Minute,
    /// An hour of UTC.
    #[default]
    Hour,
    /// A day.
    Day,
}

/// What a top list is sorted by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SortedBy {
    /// How many records.
    #[default]
    Count,
    /// What their values add up to.
    Sum,
}

/// One page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Items on a page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(crate) page_size: Option<u64>,
    /// Of the page before.
    #[param(max_length = 100)]
    pub(crate) page_token: Option<String>,
}

/// Which series.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SeriesQuery {
    /// Such as `blog.post.viewed`.
    #[param(max_length = 100, pattern = "^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*$", example = "blog.post.viewed")]
    pub(crate) metric: String,
    /// Width of a point; an hour when left out.
    #[serde(default)]
    #[param(inline, required = false)]
    pub(crate) grain: Width,
    /// Beginning; 60 minutes, 24 hours or 30 days before the end when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) from: Option<Timestamp>,
    /// End, which is not part of it; now when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) to: Option<Timestamp>,
    /// By which dimension; needs `value`.
    #[param(max_length = 32, pattern = "^[a-z][a-z0-9_]*$")]
    pub(crate) dimension: Option<String>,
    /// Which value of the dimension.
    #[param(min_length = 1, max_length = 200)]
    pub(crate) value: Option<String>,
    /// IANA name of the zone whose days are meant, with grain `day` only.
    #[param(max_length = 64, default = "UTC", example = "Europe/Berlin")]
    pub(crate) zone: Option<String>,
}

/// Which top list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TopQuery {
    /// Such as `blog.post.viewed`.
    #[param(max_length = 100, pattern = "^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*$", example = "blog.post.viewed")]
    pub(crate) metric: String,
    /// Beginning; 24 hours before the end when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) from: Option<Timestamp>,
    /// End, which is not part of it; now when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) to: Option<Timestamp>,
    /// By which dimension; may be left out when the metric has only one.
    #[param(max_length = 32, pattern = "^[a-z][a-z0-9_]*$")]
    pub(crate) dimension: Option<String>,
    /// How many values.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    pub(crate) n: Option<u64>,
    /// What decides, how many when left out; equal ones are in the order of their names.
    #[serde(default)]
    #[param(inline, required = false)]
    pub(crate) by: SortedBy,
}

/// Totals of what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TotalsQuery {
    /// Such as `blog.post.viewed`.
    #[param(max_length = 100, pattern = "^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*$", example = "blog.post.viewed")]
    pub(crate) metric: String,
    /// Beginning; 24 hours before the end when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) from: Option<Timestamp>,
    /// End, which is not part of it; now when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) to: Option<Timestamp>,
    /// By which dimension; needs `value`.
    #[param(max_length = 32, pattern = "^[a-z][a-z0-9_]*$")]
    pub(crate) dimension: Option<String>,
    /// Which value of the dimension.
    #[param(min_length = 1, max_length = 200)]
    pub(crate) value: Option<String>,
}

/// Which buckets.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportQuery {
    /// Such as `blog.post.viewed`.
    #[param(max_length = 100, pattern = "^[a-z][a-z0-9_]*(\\.[a-z0-9_]+)*$", example = "blog.post.viewed")]
    pub(crate) metric: String,
    /// Width of the buckets; an hour when left out.
    #[serde(default)]
    #[param(inline, required = false)]
    pub(crate) grain: Width,
    /// Beginning; the oldest bucket that is kept when left out.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) from: Option<Timestamp>,
    /// End, which is not part of it.
    #[param(value_type = Option<String>, format = DateTime)]
    pub(crate) to: Option<Timestamp>,
    /// One dimension instead of the totals and all dimensions.
    #[param(max_length = 32, pattern = "^[a-z][a-z0-9_]*$")]
    pub(crate) dimension: Option<String>,
}

impl From<Width> for Grain {
    fn from(width: Width) -> Self {
        match width {
            Width::Minute => Self::Minute,
            Width::Hour => Self::Hour,
            Width::Day => Self::Day,
        }
    }
}

impl From<SortedBy> for reader::By {
    fn from(by: SortedBy) -> Self {
        match by {
            SortedBy::Count => Self::Count,
            SortedBy::Sum => Self::Sum,
        }
    }
}
