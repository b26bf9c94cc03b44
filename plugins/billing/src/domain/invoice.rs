//! Invoices: their states, how lines come of what was subscribed to and used, and what they sum to.

use std::collections::BTreeMap;

use super::calendar::Period;
use super::money::{Currency, Money, MoneyError, Result};
use super::plan::Meter;
use super::subscription::{Slice, prorated};

/// Where an invoice is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is being written: it has no number, and nobody owes it.
    Draft,
    /// It was issued: somebody owes it.
    Open,
    /// It was paid.
    Paid,
    /// It was taken back.
    Void,
    /// Nobody expects it to be paid any more.
    Uncollectible,
}

/// What happens to an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    Issue,
    Pay,
    Void,
    WriteOff,
}

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineKind {
    /// The price of a plan.
    Plan,
    /// What was used.
    Usage,
    /// Anything that somebody wrote.
    Item,
}

/// One line, before tax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) kind: LineKind,
    pub(crate) description: String,
    /// Days, units or pieces.
    pub(crate) quantity: u64,
    pub(crate) amount: Money,
    /// The days it is for.
    pub(crate) days: Option<Period>,
}

/// What lines sum to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) subtotal: Money,
    /// Of the subtotal, rounded once.
    pub(crate) tax: Money,
    pub(crate) total: Money,
    /// The tax, split over the lines.
    pub(crate) line_taxes: Vec<Money>,
}

/// A plan as invoices see it.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) name: String,
    pub(crate) price: Money,
    pub(crate) meters: Vec<Meter>,
}

impl State {
    pub(crate) const ALL: [Self; 5] = [Self::Draft, Self::Open, Self::Paid, Self::Void, Self::Uncollectible];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Uncollectible => "uncollectible",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// What it becomes; none when it cannot be done.
    pub(crate) fn after(self, act: Act) -> Option<Self> {
        match (self, act) {
            (Self::Draft, Act::Issue) => Some(Self::Open),
            (Self::Draft | Self::Open, Act::Void) => Some(Self::Void),
            (Self::Open, Act::Pay) => Some(Self::Paid),
            (Self::Open, Act::WriteOff) => Some(Self::Uncollectible),
            _ => None,
        }
    }
}

impl LineKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Usage => "usage",
            Self::Item => "item",
        }
    }
}

impl Totals {
    /// Sums lines of one currency, with a tax in basis points on the subtotal.
    pub(crate) fn of(currency: Currency, lines: &[Line], tax_bps: u32) -> Result<Self> {
        let subtotal = Money::sum(currency, lines.iter().map(|line| line.amount))?;
        let tax = subtotal.basis_points(tax_bps)?;
        let weights: Vec<u64> = lines.iter().map(|line| u64::try_from(line.amount.minor()).unwrap_or(0)).collect();
        let line_taxes = match tax.split(&weights) {
            Err(MoneyError::NoWeights) => vec![Money::zero(currency); lines.len()],
            parts => parts?,
        };
        Ok(Self {
            subtotal,
            tax,
            total: subtotal.plus(tax)?,
            line_taxes,
        })
    }
}

/// The lines of one period: each charged slice of it at its plan's price, then what was used in slices that are charged, by plan and
/// feature. `terms` has every plan of the slices, `usage` what was used of a feature under a plan.
pub(crate) fn compose(
    period: Period,
    slices: &[Slice],
    terms: &BTreeMap<String, Terms>,
    usage: &BTreeMap<(String, String), u64>,
) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for slice in slices.iter().filter(|slice| slice.is_charged) {
        let Some(plan) = terms.get(&slice.plan) else { continue };
        lines.push(Line {
            kind: LineKind::Plan,
            description: plan.name.clone(),
            quantity: slice.days.days(),
            amount: prorated(plan.price, period, slice.days)?,
            days: Some(slice.days),
        });
    }
    for ((plan, feature), quantity) in usage {
        let Some(plan) = terms.get(plan) else { continue };
        let Some(meter) = plan.meters.iter().find(|meter| meter.feature == *feature) else {
            continue;
        };
        lines.push(Line {
            kind: LineKind::Usage,
            description: format!("{}: {feature}", plan.name),
            quantity: *quantity,
            amount: meter.charge(*quantity, plan.price.currency())?,
            days: Some(period),
        });
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use jiff::civil::date;

    use super::*;
    use crate::domain::plan::Tier;

    fn euro() -> Currency {
        Currency::of("EUR").unwrap()
    }

    fn item(minor: i64) -> Line {
        Line {
            kind: LineKind::Item,
            description: "item".to_owned(),
            quantity: 1,
            amount: Money::new(minor, euro()),
            days: None,
        }
    }

    #[test]
    fn every_act_on_every_state_is_decided() {
        let acts = [Act::Issue, Act::Pay, Act::Void, Act::WriteOff];
        let table = State::ALL.map(|state| {
            let after = acts.map(|act| state.after(act).map_or("-", State::as_str));
            format!("{}: {}", state.as_str(), after.join(" "))
        });
        let wanted = [
            "draft: open - void -",
            "open: - paid void uncollectible",
            "paid: - - - -",
            "void: - - - -",
            "uncollectible: - - - -",
        ];
        assert_eq!(table, wanted);
        assert!(State::ALL.into_iter().all(|state| State::parse(state.as_str()) == Some(state)));
    }

    #[test]
    fn tax_is_rounded_once_and_lines_share_it_without_a_rest() {
        let totals = Totals::of(euro(), &[item(333), item(333), item(333)], 1900).unwrap();
        assert_eq!(
            (totals.subtotal.minor(), totals.tax.minor(), totals.total.minor()),
            (999, 190, 1189)
        );
        let shares: Vec<_> = totals.line_taxes.iter().map(|tax| tax.minor()).collect();
        assert_eq!(shares, [64, 63, 63]);
        let nothing = Totals::of(euro(), &[item(0)], 1900).unwrap();
        assert_eq!((nothing.total.minor(), nothing.line_taxes.len()), (0, 1));
    }

    #[test]
    fn a_period_is_billed_by_the_plans_it_had_and_by_what_was_used() {
        let period = Period {
            start: date(2026, 4, 1),
            end: date(2026, 5, 1),
        };
        let slice = |plan: &str, is_charged, from, to| Slice {
            plan: plan.to_owned(),
            is_charged,
            days: Period {
                start: date(2026, 4, from),
                end: if to == 31 { date(2026, 5, 1) } else { date(2026, 4, to) },
            },
        };
        let plan = |name: &str, price| Terms {
            name: name.to_owned(),
            price: Money::new(price, euro()),
            meters: vec![Meter {
                feature: "posts".to_owned(),
                per: 1,
                tiers: vec![Tier { up_to: None, price: 7 }],
            }],
        };
        let terms = BTreeMap::from([("a".to_owned(), plan("Small", 3000)), ("b".to_owned(), plan("Large", 6000))]);
        let key = |plan: &str, feature: &str| (plan.to_owned(), feature.to_owned());
        let usage = BTreeMap::from([(key("a", "posts"), 3), (key("b", "posts"), 2), (key("b", "unknown"), 9)]);
        let slices = [slice("a", false, 1, 6), slice("a", true, 6, 16), slice("b", true, 16, 31)];
        let lines = compose(period, &slices, &terms, &usage).unwrap();
        let found: Vec<_> = lines
            .iter()
            .map(|line| (line.description.as_str(), line.quantity, line.amount.minor()))
            .collect();
        let wanted = [
            ("Small", 10, 1000),
            ("Large", 15, 3000),
            ("Small: posts", 3, 21),
            ("Large: posts", 2, 14),
        ];
        assert_eq!(found, wanted);
    }
}
