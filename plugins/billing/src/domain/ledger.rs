//! Double entry: what happens to money is a transaction, whose entries sum to zero in each currency.
//!
//! Debits are positive, credits negative. A transaction can only be made by a constructor that balances, so an unbalanced one cannot
//! be written down.

use std::collections::BTreeMap;

use super::money::{Currency, Money, Result};

/// Where money is, or where it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Account {
    /// What customers owe.
    Receivable,
    /// What was earned, without tax.
    Revenue,
    /// Tax that is owed to the state.
    Tax,
    /// What was paid.
    Cash,
    /// What was given back, without tax: the other side of revenue.
    Refunds,
    /// What nobody expects to be paid any more.
    BadDebt,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Issue,
    Payment,
    Refund,
    Void,
    WriteOff,
}

/// One side of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Posting {
    pub(crate) account: Account,
    /// Debits positive, credits negative; never zero.
    pub(crate) amount: Money,
}

/// Entries that sum to zero in each currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transaction {
    kind: Kind,
    postings: Vec<Posting>,
}

impl Account {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Receivable => "receivable",
            Self::Revenue => "revenue",
            Self::Tax => "tax",
            Self::Cash => "cash",
            Self::Refunds => "refunds",
            Self::BadDebt => "bad_debt",
        }
    }
}

impl Kind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Issue => "issue",
            Self::Payment => "payment",
            Self::Refund => "refund",
            Self::Void => "void",
            Self::WriteOff => "write_off",
        }
    }
}

impl Transaction {
    /// An invoice was issued: it is owed, earned, and taxed.
    pub(crate) fn issue(net: Money, tax: Money) -> Result<Self> {
        let sides = [(Account::Revenue, net.negated()?), (Account::Tax, tax.negated()?)];
        Self::against(Kind::Issue, Account::Receivable, &sides)
    }

    /// An invoice was taken back: all that issuing it did.
    pub(crate) fn void(net: Money, tax: Money) -> Result<Self> {
        Self::against(Kind::Void, Account::Receivable, &[(Account::Revenue, net), (Account::Tax, tax)])
    }

    /// An invoice was paid.
    pub(crate) fn payment(amount: Money) -> Result<Self> {
        Self::against(Kind::Payment, Account::Receivable, &[(Account::Cash, amount)])
    }

    /// Some of a payment was given back, with the tax that is in it.
    pub(crate) fn refund(amount: Money, tax: Money) -> Result<Self> {
        Self::against(
            Kind::Refund,
            Account::Cash,
            &[(Account::Refunds, amount.minus(tax)?), (Account::Tax, tax)],
        )
    }

    /// Nobody expects an invoice to be paid any more.
    pub(crate) fn write_off(amount: Money) -> Result<Self> {
        Self::against(Kind::WriteOff, Account::Receivable, &[(Account::BadDebt, amount)])
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn postings(&self) -> &[Posting] {
        &self.postings
    }

    /// The sides, and against them one entry with what they sum to: it balances by construction.
    fn against(kind: Kind, account: Account, sides: &[(Account, Money)]) -> Result<Self> {
        let Some((_, first)) = sides.first() else {
            return Ok(Self {
                kind,
                postings: Vec::new(),
            });
        };
        let sum = Money::sum(first.currency(), sides.iter().map(|(_, amount)| *amount))?;
        let all = sides.iter().copied().chain([(account, sum.negated()?)]);
        let postings = all
            .filter(|(_, amount)| amount.minor() != 0)
            .map(|(account, amount)| Posting { account, amount })
            .collect();
        Ok(Self { kind, postings })
    }
}

/// What is left when entries are summed by currency: empty when they balance.
pub(crate) fn imbalance(entries: impl IntoIterator<Item = Money>) -> Result<BTreeMap<Currency, Money>> {
    let mut sums: BTreeMap<Currency, Money> = BTreeMap::new();
    for entry in entries {
        let sum = sums.entry(entry.currency()).or_insert_with(|| Money::zero(entry.currency()));
        *sum = sum.plus(entry)?;
    }
    sums.retain(|_, sum| sum.minor() != 0);
    Ok(sums)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn shown(transaction: &Transaction) -> String {
        let entries = transaction.postings().iter();
        let entries: Vec<_> = entries
            .map(|posting| format!("{} {}", posting.account.as_str(), posting.amount.minor()))
            .collect();
        format!("{}: {}", transaction.kind().as_str(), entries.join(", "))
    }

    #[test]
    fn each_transaction_says_where_money_went_and_sums_to_zero() {
        let euro = |minor| Money::new(minor, Currency::of("EUR").unwrap());
        let all = [
            Transaction::issue(euro(1000), euro(190)).unwrap(),
            Transaction::void(euro(1000), euro(190)).unwrap(),
            Transaction::payment(euro(1190)).unwrap(),
            Transaction::refund(euro(595), euro(95)).unwrap(),
            Transaction::write_off(euro(1190)).unwrap(),
            Transaction::issue(euro(1000), euro(0)).unwrap(),
        ];
        let wanted = [
            "issue: revenue -1000, tax -190, receivable 1190",
            "void: revenue 1000, tax 190, receivable -1190",
            "payment: cash 1190, receivable -1190",
            "refund: refunds 500, tax 95, cash -595",
            "write_off: bad_debt 1190, receivable -1190",
            "issue: revenue -1000, receivable 1000",
        ];
        assert_eq!(all.each_ref().map(shown), wanted);
        for transaction in &all {
            let entries = transaction.postings().iter().map(|posting| posting.amount);
            assert_eq!(imbalance(entries).unwrap(), BTreeMap::new(), "{transaction:?}");
        }
    }

    #[test]
    fn what_does_not_balance_is_told_by_currency() {
        let of = |minor, code| Money::new(minor, Currency::of(code).unwrap());
        let left = imbalance([of(5, "EUR"), of(-5, "USD"), of(-4, "EUR"), of(7, "JPY"), of(-7, "JPY")]).unwrap();
        let left: Vec<_> = left.values().map(ToString::to_string).collect();
        assert_eq!(left, ["0.01 EUR", "-0.05 USD"]);
    }
}
