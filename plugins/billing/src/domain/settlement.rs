//! Payments and refunds on their way: what is asked of a provider, and what comes of it.

use super::money::{Money, Result};

/// Where a payment or refund is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settlement {
    /// It was asked for; the provider has not said how it ended, or we have not heard.
    Pending,
    /// The money has moved.
    Succeeded,
    /// It has not, and will not.
    Failed,
}

impl Settlement {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// The tax in a refund of a paid total, of which something was given back before: the difference of two rounded shares, so that
/// refunds of the whole, in however many parts, give back all of the tax.
pub(crate) fn refunded_tax(total: Money, tax: Money, before: Money, refund: Money) -> Result<Money> {
    let share = |part: Money| {
        let (part, whole) = (part.minor().unsigned_abs(), total.minor().unsigned_abs());
        tax.share(part, whole)
    };
    share(before.plus(refund)?)?.minus(share(before)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::domain::money::Currency;

    #[test]
    fn refunds_of_the_whole_give_back_all_of_the_tax() {
        let euro = Currency::of("EUR").unwrap();
        let (total, tax) = (Money::new(1190, euro), Money::new(190, euro));
        let mut before = Money::zero(euro);
        let mut given = Money::zero(euro);
        for part in [1, 2, 500, 87, 600] {
            let refund = Money::new(part, euro);
            given = given.plus(refunded_tax(total, tax, before, refund).unwrap()).unwrap();
            before = before.plus(refund).unwrap();
        }
        assert_eq!((before, given), (total, tax));
    }
}
