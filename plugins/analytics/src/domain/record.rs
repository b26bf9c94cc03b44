//! One thing that happened, as it is counted.

use std::collections::BTreeSet;

use super::name::{Dimension, MetricName, NameError};

/// So many seconds ahead of this clock a time is taken as it is; clocks are never quite the same.
pub(crate) const AHEAD: i64 = 5 * 60;
/// Largest size of a value.
pub(crate) const MAX_VALUE: i64 = 1_000_000_000_000;
/// Values of dimensions that one record has at most.
pub(crate) const MAX_DIMENSIONS: usize = 8;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Record {
    /// What is counted.
    pub(crate) metric: MetricName,
    /// When it happened, in seconds since 1970: this decides the bucket, not when it came.
    pub(crate) at: i64,
    /// What is added up.
    pub(crate) value: i64,
    /// By what it is counted beside the total, each once.
    pub(crate) dimensions: BTreeSet<Dimension>,
}

/// Why something is not recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecordError {
    /// A name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It has not happened yet.
    #[error("found a time {0} seconds ahead of this clock, expected at most {AHEAD}: set the clock of the sender")]
    Future(i64),
    /// Before there were times.
    #[error("found a time before 1970, expected a later one")]
    Ancient,
    /// A value out of range.
    #[error("found value {0}, expected one from -{MAX_VALUE} to {MAX_VALUE}")]
    Value(i64),
    /// Too many dimensions.
    #[error("found {0} dimensions, expected at most {MAX_DIMENSIONS}")]
    Dimensions(usize),
}

impl Record {
    /// Something that comes from outside, and is refused when it makes no sense.
    pub(crate) fn asked<'a>(
        metric: MetricName,
        at: i64,
        value: i64,
        dimensions: impl Iterator<Item = (&'a str, &'a str)>,
        now: i64,
    ) -> Result<Self, RecordError> {
        if at < 0 {
            return Err(RecordError::Ancient);
        }
        if at.saturating_sub(now) > AHEAD {
            return Err(RecordError::Future(at.saturating_sub(now)));
        }
        if value.unsigned_abs() > MAX_VALUE.unsigned_abs() {
            return Err(RecordError::Value(value));
        }
        let dimensions: BTreeSet<_> = dimensions
            .map(|(name, value)| Dimension::parse(name, value))
            .collect::<Result<_, _>>()?;
        if dimensions.len() > MAX_DIMENSIONS {
            return Err(RecordError::Dimensions(dimensions.len()));
        }
        Ok(Self {
            metric,
            at,
            value,
            dimensions,
        })
    }

    /// Something from an event, which is never refused, since nobody could send it anew: a time that is ahead becomes now, one before 1970
    /// becomes 1970, dimensions beyond the eighth are left out, values are cut to the limits.
    pub(crate) fn of_event(metric: MetricName, at: i64, value: i64, dimensions: impl Iterator<Item = Option<Dimension>>, now: i64) -> Self {
        let at = if at.saturating_sub(now) > AHEAD { now } else { at.max(0) };
        Self {
            metric,
            at,
            value: value.clamp(-MAX_VALUE, MAX_VALUE),
            dimensions: dimensions.flatten().take(MAX_DIMENSIONS).collect(),
        }
    }

    /// The total and every dimension: what it is counted under.
    pub(crate) fn counted_under(&self) -> impl Iterator<Item = Dimension> + '_ {
        std::iter::once(Dimension::default()).chain(self.dimensions.iter().cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn asked(at: i64, value: i64, dimensions: &[(&str, &str)]) -> Result<Record, RecordError> {
        Record::asked(MetricName::known("custom.a"), at, value, dimensions.iter().copied(), NOW)
    }

    #[test]
    fn a_request_may_be_a_little_ahead_and_no_more() {
        assert_eq!(asked(NOW + AHEAD, 1, &[]).unwrap().at, NOW + AHEAD);
        assert_eq!(asked(NOW + AHEAD + 1, 1, &[]), Err(RecordError::Future(AHEAD + 1)));
        assert_eq!(asked(-1, 1, &[]), Err(RecordError::Ancient));
        assert!(asked(0, 1, &[]).is_ok());
    }

    #[test]
    fn values_and_dimensions_have_limits() {
        assert!(asked(NOW, -MAX_VALUE, &[]).is_ok());
        for value in [MAX_VALUE + 1, i64::MIN, i64::MAX] {
            assert_eq!(asked(NOW, value, &[]), Err(RecordError::Value(value)));
        }
        let many: Vec<String> = (0..9).map(|n| n.to_string()).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|value| ("a", value.as_str())).collect();
        assert_eq!(asked(NOW, 1, &many), Err(RecordError::Dimensions(9)));
    }

    #[test]
    fn an_event_is_clamped_and_never_refused() {
        let of_event = |at, value| Record::of_event(MetricName::known("a"), at, value, std::iter::empty(), NOW);
        assert_eq!(of_event(NOW + AHEAD + 1, 1).at, NOW);
        assert_eq!(of_event(NOW + AHEAD, 1).at, NOW + AHEAD);
        assert_eq!(of_event(i64::MAX, i64::MAX), of_event(NOW, MAX_VALUE));
        assert_eq!(of_event(i64::MIN, i64::MIN), of_event(0, -MAX_VALUE));
    }

    #[test]
    fn the_same_value_twice_counts_once() {
        let tags = ["rust", "rust", "wharf"].map(|tag| Dimension::of_event("tag", tag));
        let record = Record::of_event(MetricName::known("a"), NOW, 1, tags.into_iter(), NOW);
        assert_eq!(record.counted_under().count(), 3);
    }
}
