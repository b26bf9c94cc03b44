//! What must hold for every amount, every cut and every sequence of operations.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use jiff::civil::date;
use proptest::prelude::*;

use super::calendar::{Anchor, Interval, Period, days_after};
use super::invoice::{Act, Line, LineKind, State, Totals};
use super::ledger::{Account, Transaction, imbalance};
use super::money::{Currency, Money};
use super::settlement::refunded_tax;
use super::subscription::prorated;

const CURRENCIES: [&str; 3] = ["EUR", "JPY", "KWD"];

/// What somebody may do; the numbers choose the invoice and the amount.
#[derive(Clone, Debug)]
enum Operation {
    Draft { currency: usize, amounts: Vec<i64>, tax_bps: u32 },
    Issue(usize),
    Pay(usize),
    Void(usize),
    WriteOff(usize),
    Refund(usize, i64),
}

/// One invoice of the model.
struct Bill {
    state: State,
    totals: Totals,
    refunded: Money,
}

/// Invoices and the entries they led to.
#[derive(Default)]
struct Model {
    bills: Vec<Bill>,
    entries: Vec<(Account, Money)>,
}

impl Model {
    fn post(&mut self, transaction: &Transaction) {
        let entries = transaction.postings().iter().map(|posting| (posting.account, posting.amount));
        self.entries.extend(entries);
    }

    fn act(&mut self, index: usize, act: Act) {
        let count = self.bills.len();
        let Some(bill) = self.bills.get_mut(index % count.max(1)) else {
            return;
        };
        let Some(next) = bill.state.after(act) else { return };
        let Totals { subtotal, tax, total, .. } = bill.totals;
        let was_open = bill.state == State::Open;
        bill.state = next;
        match act {
            Act::Issue => self.post(&Transaction::issue(subtotal, tax).unwrap()),
            Act::Pay => self.post(&Transaction::payment(total).unwrap()),
            Act::Void if was_open => self.post(&Transaction::void(subtotal, tax).unwrap()),
            Act::Void => {}
            Act::WriteOff => self.post(&Transaction::write_off(total).unwrap()),
        }
    }

    fn refund(&mut self, index: usize, amount: i64) {
        let count = self.bills.len();
        let Some(bill) = self.bills.get_mut(index % count.max(1)) else {
            return;
        };
        let left = bill.totals.total.minus(bill.refunded).unwrap().minor();
        if bill.state != State::Paid || left == 0 {
            return;
        }
        let amount = Money::new(amount % left + 1, bill.totals.total.currency());
        let tax = refunded_tax(bill.totals.total, bill.totals.tax, bill.refunded, amount).unwrap();
        bill.refunded = bill.refunded.plus(amount).unwrap();
        self.post(&Transaction::refund(amount, tax).unwrap());
    }

    fn run(&mut self, operation: Operation) {
        match operation {
            Operation::Draft {
                currency,
                amounts,
                tax_bps,
            } => {
                let currency = Currency::of(CURRENCIES[currency]).unwrap();
                let lines: Vec<_> = amounts.into_iter().map(|minor| line(Money::new(minor, currency))).collect();
                self.bills.push(Bill {
                    state: State::Draft,
                    totals: Totals::of(currency, &lines, tax_bps).unwrap(),
                    refunded: Money::zero(currency),
                });
            }
            Operation::Issue(index) => self.act(index, Act::Issue),
            Operation::Pay(index) => self.act(index, Act::Pay),
            Operation::Void(index) => self.act(index, Act::Void),
            Operation::WriteOff(index) => self.act(index, Act::WriteOff),
            Operation::Refund(index, amount) => self.refund(index, amount),
        }
    }

    fn balance(&self, account: Account, currency: Currency) -> i64 {
        let entries = self.entries.iter();
        let of = entries.filter(|(of, amount)| *of == account && amount.currency() == currency);
        of.map(|(_, amount)| amount.minor()).sum()
    }

    fn sum(&self, currency: Currency, what: impl Fn(&Bill) -> i64) -> i64 {
        let of = self.bills.iter().filter(|bill| bill.totals.total.currency() == currency);
        of.map(what).sum()
    }
}

fn line(amount: Money) -> Line {
    Line {
        kind: LineKind::Item,
        description: String::new(),
        quantity: 1,
        amount,
        days: None,
    }
}

fn operation() -> impl Strategy<Value = Operation> {
    let draft = (0..CURRENCIES.len(), prop::collection::vec(0..1_000_000_i64, 1..5), 0..3000_u32);
    prop_oneof![
        draft.prop_map(|(currency, amounts, tax_bps)| Operation::Draft {
            currency,
            amounts,
            tax_bps
        }),
        any::<usize>().prop_map(Operation::Issue),
        any::<usize>().prop_map(Operation::Pay),
        any::<usize>().prop_map(Operation::Void),
        any::<usize>().prop_map(Operation::WriteOff),
        (any::<usize>(), 0..1_000_000_i64).prop_map(|(index, amount)| Operation::Refund(index, amount)),
    ]
}

proptest! {
    #[test]
    fn the_ledger_balances_after_every_operation(operations in prop::collection::vec(operation(), 1..80)) {
        let mut model = Model::default();
        for operation in operations {
            model.run(operation);
            prop_assert!(imbalance(model.entries.iter().map(|(_, amount)| *amount)).unwrap().is_empty());
        }
        for currency in CURRENCIES.map(|code| Currency::of(code).unwrap()) {
            let owed = model.sum(currency, |bill| if bill.state == State::Open { bill.totals.total.minor() } else { 0 });
            let held = model.sum(currency, |bill| {
                if bill.state == State::Paid { bill.totals.total.minor() - bill.refunded.minor() } else { 0 }
            });
            prop_assert_eq!(model.balance(Account::Receivable, currency), owed);
            prop_assert_eq!(model.balance(Account::Cash, currency), held);
            // What was given back whole leaves no tax behind.
            let taxed = model.sum(currency, |bill| {
                let is_owed = matches!(bill.state, State::Open | State::Paid | State::Uncollectible);
                if is_owed && bill.refunded != bill.totals.total { bill.totals.tax.minor() } else { 0 }
            });
            let partly = model.bills.iter().any(|bill| bill.refunded.minor() > 0 && bill.refunded != bill.totals.total);
            prop_assert!(partly || model.balance(Account::Tax, currency) == -taxed);
        }
    }

    #[test]
    fn the_parts_of_a_split_sum_to_the_whole(minor in any::<i64>(), weights in prop::collection::vec(0..u64::from(u32::MAX), 1..20)) {
        let whole = Money::new(minor, Currency::of("EUR").unwrap());
        match whole.split(&weights) {
            Ok(parts) => {
                let sum: i128 = parts.iter().map(|part| i128::from(part.minor())).sum();
                prop_assert_eq!(sum, i128::from(minor));
                let total: i128 = weights.iter().map(|weight| i128::from(*weight)).sum();
                for (part, weight) in parts.iter().zip(&weights) {
                    // No part is a whole unit away from its exact share.
                    let away = i128::from(part.minor()) * total - i128::from(minor) * i128::from(*weight);
                    prop_assert!(away.abs() < total);
                }
            }
            Err(_) => prop_assert!(weights.iter().all(|weight| *weight == 0)),
        }
    }

    #[test]
    fn the_days_of_a_period_cost_what_the_period_costs(
        price in 0..1_000_000_000_i64, day in 1..=31_i8, number in 0..40_u32, is_year in any::<bool>(), cuts in prop::collection::vec(0..366_u32, 0..6),
    ) {
        let interval = if is_year { Interval::Year } else { Interval::Month };
        let period = Anchor { day: date(2024, 1, day), interval }.period(number).unwrap();
        let price = Money::new(price, Currency::of("EUR").unwrap());
        let mut days: Vec<_> = cuts.into_iter().map(|after| days_after(period.start, after).unwrap().min(period.end)).collect();
        days.extend([period.start, period.end]);
        days.sort();
        let parts = days.windows(2).map(|cut| prorated(price, period, Period { start: cut[0], end: cut[1] }).unwrap());
        let parts: Vec<_> = parts.collect();
        prop_assert!(parts.iter().all(|part| part.minor() >= 0));
        prop_assert_eq!(Money::sum(price.currency(), parts).unwrap(), price);
    }

    #[test]
    fn the_taxes_of_lines_sum_to_the_tax_of_the_invoice(amounts in prop::collection::vec(0..1_000_000_000_i64, 1..30), tax_bps in 0..10_000_u32) {
        let currency = Currency::of("EUR").unwrap();
        let lines: Vec<_> = amounts.iter().map(|minor| line(Money::new(*minor, currency))).collect();
        let totals = Totals::of(currency, &lines, tax_bps).unwrap();
        prop_assert_eq!(Money::sum(currency, totals.line_taxes.iter().copied()).unwrap(), totals.tax);
        prop_assert_eq!(totals.subtotal.plus(totals.tax).unwrap(), totals.total);
    }
}
