//! What records add up to: which buckets grow by how much, and what comes too late.

use std::collections::BTreeMap;

use super::grain::{Grain, Retention};
use super::name::{Dimension, MetricName};
use super::record::Record;

/// Sums stop here: the largest whole number that every reader of JSON takes exactly (RFC 8259, section 6).
pub(crate) const MAX_SUM: i64 = (1 << 53) - 1;

/// Which bucket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) metric: MetricName,
    pub(crate) grain: Grain,
    pub(crate) dimension: String,
    /// Its beginning, in seconds since 1970.
    pub(crate) begins: i64,
    pub(crate) value: String,
}

/// What a bucket holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// How many records.
    pub(crate) count: i64,
    /// What their values add up to.
    pub(crate) sum: i64,
}

/// What some records add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// By how much buckets grow.
    pub(crate) buckets: BTreeMap<Key, Sums>,
    /// Records that came after the buckets of a grain in which they would lie were due to be removed. They are in the wider ones; those that
    /// are late for days are nowhere.
    pub(crate) late: BTreeMap<(MetricName, Grain), i64>,
}

impl Sums {
    /// Both together.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count).min(MAX_SUM),
            sum: self.sum.saturating_add(other.sum).clamp(-MAX_SUM, MAX_SUM),
        }
    }
}

impl Tally {
    /// Of records, at a moment.
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = &'a Record>, kept: Retention, now: i64) -> Self {
        let mut tally = Self::default();
        for record in records {
            tally.add(record, kept, now);
        }
        tally
    }

    /// Counts what is too old to tell whether it was counted before: nowhere but here.
    pub(crate) fn add_stale(&mut self, record: &Record) {
        for grain in Grain::ALL {
            *self.late.entry((record.metric.clone(), grain)).or_default() += 1;
        }
    }

    fn add(&mut self, record: &Record, kept: Retention, now: i64) {
        let one = Sums {
            count: 1,
            sum: record.value,
        };
        for grain in Grain::ALL {
            let begins = grain.floor(record.at);
            if begins < kept.cutoff(grain, now) {
                *self.late.entry((record.metric.clone(), grain)).or_default() += 1;
                continue;
            }
            for Dimension { name, value } in record.counted_under() {
                let key = Key {
                    metric: record.metric.clone(),
                    grain,
                    dimension: name,
                    begins,
                    value,
                };
                let sums = self.buckets.entry(key).or_default();
                *sums = sums.plus(one);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::grain::DAY;
    use super::*;

    const NOW: i64 = 20_000 * DAY + 40_000;
    const KEPT: Retention = Retention { minutes: 3, hours: 30 };

    fn record(age: i64, value: i64, post: u8) -> Record {
        let post = Dimension::of_event("post", &post.to_string());
        Record::of_event(MetricName::known("a"), NOW - age, value, std::iter::once(post), NOW)
    }

    fn records() -> impl Strategy<Value = Vec<Record>> {
        let one = (0..40 * DAY, -5..5_i64, 0..3_u8).prop_map(|(age, value, post)| record(age, value, post));
        proptest::collection::vec(one, 0..60)
    }

    fn plus(mut one: Tally, other: Tally) -> Tally {
        for (key, sums) in other.buckets {
            let entry = one.buckets.entry(key).or_default();
            *entry = entry.plus(sums);
        }
        for (key, late) in other.late {
            *one.late.entry(key).or_default() += late;
        }
        one
    }

    proptest! {
        #[test]
        fn order_and_batches_do_not_matter(records in records(), at in 0..60_usize) {
            let whole = Tally::of(&records, KEPT, NOW);
            let (first, second) = records.split_at(at.min(records.len()));
            prop_assert_eq!(&plus(Tally::of(second, KEPT, NOW), Tally::of(first, KEPT, NOW)), &whole);
            prop_assert_eq!(&Tally::of(records.iter().rev(), KEPT, NOW), &whole);
        }

        #[test]
        fn every_record_is_in_each_grain_once_or_late(records in records()) {
            let tally = Tally::of(&records, KEPT, NOW);
            for grain in Grain::ALL {
                let counted = |dimension: &str| -> i64 {
                    let of_it = tally.buckets.iter().filter(|(key, _)| key.grain == grain && key.dimension == dimension);
                    of_it.map(|(_, sums)| sums.count).sum()
                };
                let late: i64 = tally.late.iter().filter(|((_, of), _)| *of == grain).map(|(_, late)| late).sum();
                prop_assert_eq!(counted("") + late, records.len() as i64);
                prop_assert_eq!(counted("post"), counted(""));
            }
            prop_assert!(!tally.late.contains_key(&(MetricName::known("a"), Grain::Day)));
        }

        #[test]
        fn wider_buckets_are_the_sum_of_the_narrower_ones_inside(records in records()) {
            let tally = Tally::of(&records, KEPT, NOW);
            for (key, sums) in tally.buckets.iter().filter(|(key, _)| key.grain == Grain::Day && key.begins >= KEPT.cutoff(Grain::Minute, NOW)) {
                for finer in [Grain::Minute, Grain::Hour] {
                    let inside = tally.buckets.iter().filter(|(inner, _)| {
                        (&inner.dimension, &inner.value, inner.grain, Grain::Day.floor(inner.begins)) == (&key.dimension, &key.value, finer, key.begins)
                    });
                    prop_assert_eq!(inside.fold(Sums::default(), |all, (_, one)| all.plus(*one)), *sums);
                }
            }
        }
    }

    #[test]
    fn a_late_record_goes_where_it_belongs() {
        let tally = Tally::of(&[record(2 * DAY, 1, 1)], KEPT, NOW);
        let begins: Vec<i64> = tally
            .buckets
            .keys()
            .filter(|key| key.dimension.is_empty())
            .map(|key| key.begins)
            .collect();
        let at = NOW - 2 * DAY;
        assert_eq!(begins, Grain::ALL.map(|grain| grain.floor(at)));
        assert!(tally.late.is_empty());
    }

    #[test]
    fn sums_stop_where_readers_of_json_do() {
        let most = Sums { count: 1, sum: MAX_SUM };
        assert_eq!(most.plus(most), Sums { count: 2, sum: MAX_SUM });
        let least = Sums { count: 1, sum: -MAX_SUM };
        assert_eq!(least.plus(least).sum, -MAX_SUM);
    }
}
