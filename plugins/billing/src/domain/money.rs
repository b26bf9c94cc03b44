//! Exact money: an amount of the smallest unit of a currency. No fractions, no floats, and nothing that wraps.

use std::fmt;

use super::rounding;

/// Largest amount that is taken from outside, either way: far above any invoice, far below what overflows in a sum.
pub(crate) const MOST: i64 = 1_000_000_000_000;

/// A currency of ISO 4217 with its exponent: how many decimal places its smallest unit has.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Currency {
    code: &'static str,
    exponent: u32,
}

/// An amount of money, in the smallest unit of its currency.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Money {
    minor: i64,
    currency: Currency,
}

/// Why an amount cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum MoneyError {
    /// It does not fit.
    #[error("an amount of {0} is larger than can be counted; split it")]
    Overflow(Currency),
    /// Two currencies met.
    #[error("found {found}, expected {expected}: amounts of two currencies cannot be put together")]
    Currencies {
        /// The other one.
        found: Currency,
        /// The one of the sum.
        expected: Currency,
    },
    /// No such currency.
    #[error("found currency {0:?}, expected an active code of ISO 4217 in capitals, such as EUR")]
    Unknown(String),
    /// Nothing to split by.
    #[error("an amount cannot be split without a weight above zero")]
    NoWeights,
}

pub(crate) type Result<T> = std::result::Result<T, MoneyError>;

/// Active codes with two decimal places, then those with another number.
const USUAL: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP \
    CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT \
    LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON \
    RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VES WST XCD YER \
    ZAR ZMW ZWG";
const UNUSUAL: [(&str, u32); 4] = [
    ("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0),
    ("BHD IQD JOD KWD LYD OMR TND", 3),
    ("CLF UYW", 4),
    (USUAL, 2),
];

impl Currency {
    /// The currency of a code.
    pub(crate) fn of(code: &str) -> Result<Self> {
        let found = UNUSUAL.iter().find_map(|(codes, exponent)| {
            let code = codes.split_ascii_whitespace().find(|known| *known == code)?;
            Some(Self { code, exponent: *exponent })
        });
        found.ok_or_else(|| MoneyError::Unknown(code.chars().take(8).collect()))
    }

    /// Its code, such as `EUR`.
    pub(crate) fn code(self) -> &'static str {
        self.code
    }
}

impl Money {
    pub(crate) fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    pub(crate) fn zero(currency: Currency) -> Self {
        Self::new(0, currency)
    }

    /// In the smallest unit.
    pub(crate) fn minor(self) -> i64 {
        self.minor
    }

    pub(crate) fn currency(self) -> Currency {
        self.currency
    }

    pub(crate) fn plus(self, other: Self) -> Result<Self> {
        self.same(other)?;
        self.of(self.minor.checked_add(other.minor))
    }

    pub(crate) fn minus(self, other: Self) -> Result<Self> {
        self.plus(other.negated()?)
    }

    pub(crate) fn negated(self) -> Result<Self> {
        self.of(self.minor.checked_neg())
    }

    pub(crate) fn times(self, count: u64) -> Result<Self> {
        let product = i128::from(self.minor).checked_mul(i128::from(count));
        self.of(product.and_then(|product| i64::try_from(product).ok()))
    }

    /// `part / whole` of it, rounded half to even.
    pub(crate) fn share(self, part: u64, whole: u64) -> Result<Self> {
        let product = i128::from(self.minor).checked_mul(i128::from(part));
        let share = product.and_then(|product| rounding::half_even(product, i128::from(whole)));
        self.of(share.and_then(|share| i64::try_from(share).ok()))
    }

    /// So many hundredths of a percent of it, rounded half to even.
    pub(crate) fn basis_points(self, points: u32) -> Result<Self> {
        self.share(u64::from(points), 10_000)
    }

    /// Parts by weight that sum to the whole.
    pub(crate) fn split(self, weights: &[u64]) -> Result<Vec<Self>> {
        let parts = rounding::largest_remainder(self.minor, weights).ok_or(MoneyError::NoWeights)?;
        Ok(parts.into_iter().map(|part| Self::new(part, self.currency)).collect())
    }

    /// The sum of amounts of one currency.
    pub(crate) fn sum(currency: Currency, amounts: impl IntoIterator<Item = Self>) -> Result<Self> {
        amounts.into_iter().try_fold(Self::zero(currency), Self::plus)
    }

    fn same(self, other: Self) -> Result<()> {
        if self.currency == other.currency {
            return Ok(());
        }
        Err(MoneyError::Currencies {
            found: other.currency,
            expected: self.currency,
        })
    }

    fn of(self, minor: Option<i64>) -> Result<Self> {
        minor
            .map(|minor| Self::new(minor, self.currency))
            .ok_or(MoneyError::Overflow(self.currency))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code)
    }
}

/// `-12.34 EUR`: decimal places as the currency has them.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = 10_u64.pow(self.currency.exponent);
        let sign = if self.minor < 0 { "-" } else { "" };
        let whole = self.minor.unsigned_abs() / unit;
        let rest = self.minor.unsigned_abs() % unit;
        match self.currency.exponent {
            0 => write!(f, "{sign}{whole} {}", self.currency),
            places => write!(f, "{sign}{whole}.{rest:0width$} {}", self.currency, width = places as usize),
        }
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn money(minor: i64, code: &str) -> Money {
        Money::new(minor, Currency::of(code).unwrap())
    }

    #[test]
    fn amounts_are_shown_with_the_places_of_their_currency() {
        let shown = [
            (1234, "EUR"),
            (-5, "EUR"),
            (1234, "JPY"),
            (1234, "KWD"),
            (i64::MIN, "EUR"),
            (0, "CLF"),
        ];
        let shown: Vec<_> = shown.map(|(minor, code)| money(minor, code).to_string()).into();
        let wanted = [
            "12.34 EUR",
            "-0.05 EUR",
            "1234 JPY",
            "1.234 KWD",
            "-92233720368547758.08 EUR",
            "0.0000 CLF",
        ];
        assert_eq!(shown, wanted);
    }

    #[test]
    fn unknown_currencies_are_refused() {
        for code in ["", "eur", "EURO", "XXX", "EU", "E R", "EUR USD"] {
            assert!(Currency::of(code).is_err(), "{code}");
        }
    }

    #[test]
    fn nothing_wraps_and_currencies_do_not_mix() {
        let most = money(i64::MAX, "EUR");
        assert!(matches!(most.plus(money(1, "EUR")), Err(MoneyError::Overflow(_))));
        assert!(matches!(most.times(2), Err(MoneyError::Overflow(_))));
        assert!(matches!(money(i64::MIN, "EUR").negated(), Err(MoneyError::Overflow(_))));
        assert!(matches!(money(1, "EUR").plus(money(1, "USD")), Err(MoneyError::Currencies { .. })));
        assert_eq!(money(1, "EUR").minus(money(3, "EUR")).unwrap().minor(), -2);
    }

    #[test]
    fn a_share_is_rounded_half_to_even() {
        assert_eq!(money(250, "EUR").basis_points(1000).unwrap().minor(), 25);
        assert_eq!(money(25, "EUR").basis_points(1000).unwrap().minor(), 2);
        assert_eq!(money(35, "EUR").basis_points(1000).unwrap().minor(), 4);
        assert_eq!(money(999, "EUR").basis_points(1900).unwrap().minor(), 190);
        assert!(money(1, "EUR").share(1, 0).is_err());
    }
}
