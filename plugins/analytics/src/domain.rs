//! The rules, without a database or a host: what is counted, in which bucket, and what a period is made of.

mod grain;
mod name;
mod period;
mod record;
mod series;
mod tally;

pub(crate) use grain::{DAY, Grain, HOUR, Retention};
pub(crate) use name::{Dimension, MetricName, NameError};
pub(crate) use period::{Cover, Period, PeriodError};
pub(crate) use record::{Record, RecordError};
pub(crate) use series::{Plan, PlanError, Point};
pub(crate) use tally::{Key, MAX_SUM, Sums, Tally};
