//! Subscriptions: their states, their phases, and what a part of a period costs.

use jiff::civil::Date;

use super::calendar::{Period, days_between};
use super::money::{Money, Result};

/// Where a subscription is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// It costs nothing yet.
    Trialing,
    /// It runs.
    Active,
    /// It runs, and an invoice of it is overdue.
    PastDue,
    /// It costs nothing until it is resumed.
    Paused,
    /// It has ended, or ends on a day that is set.
    Cancelled,
}

/// What happens to a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Its trial is over.
    Begin,
    /// An invoice is overdue.
    Overdue,
    /// No invoice is overdue any more.
    Settle,
    /// It is to cost nothing for a while.
    Pause,
    /// It goes on.
    Resume,
    /// It gets another plan.
    Replan,
    /// It ends.
    Cancel,
}

/// From a day on: which plan, and whether it is charged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Phase {
    pub(crate) from: Date,
    /// Id of the plan.
    pub(crate) plan: String,
    /// False in trials and pauses.
    pub(crate) is_charged: bool,
}

/// The days of a period that belong to one phase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) plan: String,
    pub(crate) is_charged: bool,
    pub(crate) days: Period,
}

impl Status {
    pub(crate) const ALL: [Self; 5] = [Self::Trialing, Self::Active, Self::PastDue, Self::Paused, Self::Cancelled];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Trialing => "trialing",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// What it becomes; none when it cannot be done.
    pub(crate) fn after(self, change: Change) -> Option<Self> {
        use Status::{Active, Cancelled, PastDue, Paused, Trialing};
        match (self, change) {
            (Cancelled, _) => None,
            (_, Change::Cancel) => Some(Cancelled),
            (Trialing, Change::Begin) | (PastDue, Change::Settle) | (Paused, Change::Resume) => Some(Active),
            (Trialing | Active | PastDue, Change::Pause) => Some(Paused),
            (Active, Change::Overdue) => Some(PastDue),
            (Trialing | Active | PastDue, Change::Replan) => Some(self),
            _ => None,
        }
    }
}

/// The days of a period, phase by phase; only those before `until`, if it ends.
pub(crate) fn slices(phases: &[Phase], period: Period, until: Option<Date>) -> Vec<Slice> {
    let end = until.map_or(period.end, |until| until.min(period.end));
    let whole = Period { start: period.start, end };
    let ends = phases.iter().skip(1).map(|next| next.from).chain([Date::MAX]);
    phases
        .iter()
        .zip(ends)
        .filter_map(|(phase, end)| {
            let days = whole.overlap(Period { start: phase.from, end })?;
            Some(Slice {
                plan: phase.plan.clone(),
                is_charged: phase.is_charged,
                days,
            })
        })
        .collect()
}

/// What a price for a whole period comes to for some of its days: the difference of two rounded sums, so that the parts of a period
/// always sum to its price.
pub(crate) fn prorated(price: Money, period: Period, days: Period) -> Result<Money> {
    let all = period.days();
    let until_start = price.share(days_between(period.start, days.start), all)?;
    let until_end = price.share(days_between(period.start, days.end), all)?;
    until_end.minus(until_start)
}

/// The phase that a day is in.
pub(crate) fn phase_of(phases: &[Phase], day: Date) -> Option<&Phase> {
    phases.iter().rev().find(|phase| phase.from <= day)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::civil::date;

    use super::*;
    use crate::domain::money::Currency;

    fn phase(from: Date, plan: &str, is_charged: bool) -> Phase {
        Phase {
            from,
            plan: plan.to_owned(),
            is_charged,
        }
    }

    #[test]
    fn every_change_of_every_status_is_decided() {
        let changes = [
            Change::Begin,
            Change::Overdue,
            Change::Settle,
            Change::Pause,
            Change::Resume,
            Change::Replan,
            Change::Cancel,
        ];
        let table = Status::ALL.map(|status| {
            let after = changes.map(|change| status.after(change).map_or("-", Status::as_str));
            format!("{}: {}", status.as_str(), after.join(" "))
        });
        let wanted = [
            "trialing: active - - paused - trialing cancelled",
            "active: - past_due - paused - active cancelled",
            "past_due: - - active paused - past_due cancelled",
            "paused: - - - - active - cancelled",
            "cancelled: - - - - - - -",
        ];
        assert_eq!(table, wanted);
        assert!(Status::ALL.into_iter().all(|status| Status::parse(status.as_str()) == Some(status)));
    }

    #[test]
    fn a_period_is_cut_where_phases_begin_and_where_it_ends() {
        let phases = [
            phase(date(2026, 1, 10), "a", false),
            phase(date(2026, 1, 20), "a", true),
            phase(date(2026, 2, 5), "b", true),
        ];
        let period = Period {
            start: date(2026, 1, 10),
            end: date(2026, 2, 10),
        };
        let cut = |until| {
            let found = slices(&phases, period, until).into_iter();
            found
                .map(|slice| (slice.plan, slice.is_charged, slice.days.days()))
                .collect::<Vec<_>>()
        };
        let all = [("a".to_owned(), false, 10), ("a".to_owned(), true, 16), ("b".to_owned(), true, 5)];
        assert_eq!(cut(None), all);
        assert_eq!(
            cut(Some(date(2026, 1, 22))),
            [("a".to_owned(), false, 10), ("a".to_owned(), true, 2)]
        );
        assert_eq!(cut(Some(date(2026, 1, 1))), []);
        assert_eq!(phase_of(&phases, date(2026, 2, 4)).map(|phase| phase.plan.as_str()), Some("a"));
        assert_eq!(phase_of(&phases, date(2026, 1, 9)), None);
    }

    #[test]
    fn the_parts_of_a_period_sum_to_its_price() {
        let price = Money::new(1000, Currency::of("EUR").unwrap());
        let period = Period {
            start: date(2026, 2, 1),
            end: date(2026, 3, 1),
        };
        let cuts = [date(2026, 2, 1), date(2026, 2, 10), date(2026, 2, 11), date(2026, 3, 1)];
        let parts: Vec<_> = cuts
            .windows(2)
            .map(|cut| match cut {
                [start, end] => prorated(price, period, Period { start: *start, end: *end }).unwrap().minor(),
                _ => 0,
            })
            .collect();
        assert_eq!((parts.clone(), parts.iter().sum::<i64>()), (vec![321, 36, 643], 1000));
    }
}
