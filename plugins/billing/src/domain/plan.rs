//! What a plan costs: a price for each period, and prices for what is used.

use serde::{Deserialize, Serialize};

use super::money::{Currency, MOST, Money, MoneyError};

/// The price of one feature by how much of it is used.
///
/// Tiers are graduated: each unit costs what its own tier says. The amounts of all tiers are added first and rounded once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meter {
    /// What is counted.
    pub(crate) feature: String,
    /// Prices are for so many units: 1000 and a price of 5 is half a cent for a hundred.
    pub(crate) per: u32,
    /// From the first unit on; the last one has no end.
    pub(crate) tiers: Vec<Tier>,
}

/// Units up to a number, and what `per` of them cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tier {
    /// The last unit of this tier; none: all that are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) up_to: Option<u64>,
    /// Of `per` units, in the smallest unit of the plan's currency.
    pub(crate) price: i64,
}

/// Why a meter makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MeterError {
    #[error("meter {0:?} counts units by {1}, expected a number above 0")]
    Per(String, u32),
    #[error("meter {0:?} has no tiers, expected at least one; the last one has no `up_to`")]
    NoTiers(String),
    #[error("tier {1} of meter {0:?} does not end after the one before; give each a larger `up_to`, and the last one none")]
    Order(String, usize),
    #[error("tier {1} of meter {0:?} costs {2}, expected 0 to {MOST}")]
    Price(String, usize, i64),
    #[error("found two meters for {0:?}, expected one for each feature")]
    Twice(String),
}

impl Meter {
    /// Whether it can be used.
    pub(crate) fn check(&self) -> Result<(), MeterError> {
        let name = || self.feature.clone();
        if self.per == 0 {
            return Err(MeterError::Per(name(), self.per));
        }
        let last = self.tiers.len().checked_sub(1).ok_or_else(|| MeterError::NoTiers(name()))?;
        let mut before = 0;
        for (index, tier) in self.tiers.iter().enumerate() {
            if !(0..=MOST).contains(&tier.price) {
                return Err(MeterError::Price(name(), index, tier.price));
            }
            match tier.up_to {
                Some(up_to) if index < last && up_to > before => before = up_to,
                None if index == last => {}
                _ => return Err(MeterError::Order(name(), index)),
            }
        }
        Ok(())
    }

    /// What so many units cost.
    pub(crate) fn charge(&self, quantity: u64, currency: Currency) -> Result<Money, MoneyError> {
        let mut sum: i128 = 0;
        let mut before = 0;
        for tier in &self.tiers {
            let end = tier.up_to.unwrap_or(u64::MAX).min(quantity);
            let units = end.saturating_sub(before);
            let cost = i128::from(units).checked_mul(i128::from(tier.price));
            let added = cost.and_then(|cost| sum.checked_add(cost));
            sum = added.ok_or(MoneyError::Overflow(currency))?;
            before = before.max(end);
        }
        let rounded = super::rounding::half_even(sum, i128::from(self.per));
        let minor = rounded.and_then(|rounded| i64::try_from(rounded).ok());
        minor.map(|minor| Money::new(minor, currency)).ok_or(MoneyError::Overflow(currency))
    }
}

/// Whether meters can stand in one plan.
pub(crate) fn check_all(meters: &[Meter]) -> Result<(), MeterError> {
    for (index, meter) in meters.iter().enumerate() {
        meter.check()?;
        if meters.iter().take(index).any(|other| other.feature == meter.feature) {
            return Err(MeterError::Twice(meter.feature.clone()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn meter(per: u32, tiers: &[(Option<u64>, i64)]) -> Meter {
        Meter {
            feature: "posts".to_owned(),
            per,
            tiers: tiers
                .iter()
                .map(|(up_to, price)| Tier {
                    up_to: *up_to,
                    price: *price,
                })
                .collect(),
        }
    }

    #[test]
    fn each_unit_costs_what_its_own_tier_says() {
        let euro = Currency::of("EUR").unwrap();
        let graduated = meter(1, &[(Some(10), 0), (Some(100), 5), (None, 2)]);
        graduated.check().unwrap();
        let costs = [0, 10, 11, 100, 101, 200].map(|units| graduated.charge(units, euro).unwrap().minor());
        assert_eq!(costs, [0, 0, 5, 450, 452, 650]);
    }

    #[test]
    fn units_of_a_fraction_of_a_cent_are_added_before_they_are_rounded() {
        let euro = Currency::of("EUR").unwrap();
        let thousand = meter(1000, &[(Some(500), 1), (None, 3)]);
        assert_eq!(thousand.charge(500, euro).unwrap().minor(), 0, "half a cent goes to the even zero");
        assert_eq!(thousand.charge(1500, euro).unwrap().minor(), 4, "0.5 + 3.0 goes to the even four");
        assert!(meter(1, &[(None, MOST)]).charge(u64::MAX, euro).is_err());
    }

    #[test]
    fn tiers_that_make_no_sense_are_refused() {
        let wrong = [
            meter(0, &[(None, 1)]),
            meter(1, &[]),
            meter(1, &[(Some(10), 1)]),
            meter(1, &[(None, 1), (None, 1)]),
            meter(1, &[(Some(10), 1), (Some(10), 1), (None, 1)]),
            meter(1, &[(Some(0), 1), (None, 1)]),
            meter(1, &[(None, -1)]),
        ];
        for meter in wrong {
            assert!(meter.check().is_err(), "{meter:?}");
        }
        let twice = [meter(1, &[(None, 1)]), meter(1, &[(None, 2)])];
        assert_eq!(check_all(&twice), Err(MeterError::Twice("posts".to_owned())));
    }
}
