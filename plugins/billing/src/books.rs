//! The ledger as it is kept: transactions are written once, balances are sums of entries, and a check says where they do not balance.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait as _, ColumnTrait, EntityTrait, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect};
use serde::Serialize;
use utoipa::ToSchema;
use wharf_sdk::services::database::Tx;
use wharf_sdk::{Tenant, Tenanted};

use crate::Billing;
use crate::domain::ledger::{Account, Transaction, imbalance};
use crate::error::{Error, Result};
use crate::page::{List, Page};
use crate::tables::{invoice, ledger_entry};
use crate::text;

/// Findings that are told of one check.
const MOST_FINDINGS: u64 = 20;

/// What an account holds in a currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema, FromQueryResult)]
pub(crate) struct Balance {
    /// Code of ISO 4217.
    #[schema(pattern = "^[A-Z]{3}$")]
    pub(crate) currency: String,
    /// The account.
    #[schema(value_type = AccountName)]
    pub(crate) account: String,
    /// Sum of its debits, in the smallest unit.
    #[schema(minimum = 0)]
    pub(crate) debit: i64,
    /// Sum of its credits.
    #[schema(minimum = 0)]
    pub(crate) credit: i64,
}

/// The accounts of the ledger.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "the names of the schema; rows hold them as text")]
pub(crate) enum AccountName {
    /// What customers owe.
    Receivable,
    /// What was earned, without tax.
    Revenue,
    /// Tax that is owed.
    Tax,
    /// What was paid.
    Cash,
    /// What was given back, without tax.
    Refunds,
    /// What was written off.
    BadDebt,
}

/// What a check of the ledger found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct LedgerCheck {
    /// Whether everything balances.
    pub(crate) balanced: bool,
    /// Where it does not, a sentence each.
    pub(crate) findings: Vec<String>,
}

/// Entries of one posting and currency that do not sum to zero.
#[derive(FromQueryResult)]
struct Unbalanced {
    tenant: String,
    posting: String,
    currency: String,
    left_over: i64,
}

/// A sum for a tenant and currency.
#[derive(FromQueryResult)]
struct TenantSum {
    tenant: String,
    currency: String,
    sum: i64,
}

impl Billing {
    /// Writes a transaction down, once for its source. One without entries leaves no trace.
    pub(crate) async fn post(&self, tx: &Tx, tenant: &Tenant, transaction: &Transaction, invoice: &str, source: &str) -> Result<()> {
        let left = imbalance(transaction.postings().iter().map(|entry| entry.amount))?;
        if !left.is_empty() {
            return Err(Error::Broken(format!(
                "a transaction of {source} leaves {left:?}, expected entries that sum to zero"
            )));
        }
        let posting = text::new_id();
        let at = text::now();
        let rows: Vec<_> = transaction
            .postings()
            .iter()
            .map(|entry| {
                let row = ledger_entry::Model {
                    tenant: tenant.to_string(),
                    id: text::new_id(),
                    posting: posting.clone(),
                    kind: transaction.kind().as_str().to_owned(),
                    account: entry.account.as_str().to_owned(),
                    currency: entry.amount.currency().code().to_owned(),
                    amount: entry.amount.minor(),
                    invoice: invoice.to_owned(),
                    source: source.to_owned(),
                    at,
                };
                tenant.stamp(row.into_active_model().reset_all())
            })
            .collect();
        if !rows.is_empty() {
            ledger_entry::Entity::insert_many(rows).exec_without_returning(tx).await?;
        }
        Ok(())
    }

    /// What each account holds, by currency. Debits and credits of a currency are the same.
    pub(crate) async fn trial_balance(&self, tenant: &Tenant) -> Result<Vec<Balance>> {
        let side = |condition: &str| {
            Expr::cust(format!(
                "CAST(SUM(CASE WHEN amount {condition} 0 THEN ABS(amount) ELSE 0 END) AS BIGINT)"
            ))
        };
        let rows = tenant
            .find::<ledger_entry::Entity>()
            .select_only()
            .column(ledger_entry::Column::Currency)
            .column(ledger_entry::Column::Account)
            .column_as(side(">"), "debit")
            .column_as(side("<"), "credit")
            .group_by(ledger_entry::Column::Currency)
            .group_by(ledger_entry::Column::Account)
            .order_by_asc(ledger_entry::Column::Currency)
            .order_by_asc(ledger_entry::Column::Account);
        Ok(rows.into_model::<Balance>().all(&self.db).await?)
    }

    /// Entries, oldest first; of one invoice if that is given.
    pub(crate) async fn ledger_entries(&self, tenant: &Tenant, invoice: Option<&str>, page: &Page) -> Result<List<ledger_entry::Model>> {
        let mut rows = tenant.find::<ledger_entry::Entity>();
        if let Some(invoice) = invoice {
            rows = rows.filter(ledger_entry::Column::Invoice.eq(text::wanted_id(invoice)?));
        }
        page.read(&self.db, rows, ledger_entry::Column::Id, |row| &row.id).await
    }

    /// Whether every transaction sums to zero, and whether what is receivable is what open invoices say. Of one tenant, or of all.
    pub(crate) async fn check_ledger(&self, tenant: Option<&Tenant>) -> Result<LedgerCheck> {
        let mut findings: Vec<String> = self
            .unbalanced(tenant)
            .await?
            .into_iter()
            .map(|found| {
                format!(
                    "the entries of posting {} in tenant {} sum to {} {}, expected 0",
                    found.posting, found.tenant, found.left_over, found.currency
                )
            })
            .collect();
        findings.extend(self.wrong_receivables(tenant).await?);
        Ok(LedgerCheck {
            balanced: findings.is_empty(),
            findings,
        })
    }

    async fn unbalanced(&self, tenant: Option<&Tenant>) -> Result<Vec<Unbalanced>> {
        let rows = of::<ledger_entry::Entity>(tenant)
            .select_only()
            .column(ledger_entry::Column::Tenant)
            .column(ledger_entry::Column::Posting)
            .column(ledger_entry::Column::Currency)
            .column_as(sum_of("amount"), "left_over")
            .group_by(ledger_entry::Column::Tenant)
            .group_by(ledger_entry::Column::Posting)
            .group_by(ledger_entry::Column::Currency)
            .having(Expr::cust("SUM(amount) <> 0"))
            .limit(MOST_FINDINGS);
        Ok(rows.into_model::<Unbalanced>().all(&self.db).await?)
    }

    async fn wrong_receivables(&self, tenant: Option<&Tenant>) -> Result<Vec<String>> {
        let receivable = of::<ledger_entry::Entity>(tenant)
            .filter(ledger_entry::Column::Account.eq(Account::Receivable.as_str()))
            .select_only()
            .column(ledger_entry::Column::Tenant)
            .column(ledger_entry::Column::Currency)
            .column_as(sum_of("amount"), "sum")
            .group_by(ledger_entry::Column::Tenant)
            .group_by(ledger_entry::Column::Currency);
        let owed = of::<invoice::Entity>(tenant)
            .filter(invoice::Column::State.eq("open"))
            .select_only()
            .column(invoice::Column::Tenant)
            .column(invoice::Column::Currency)
            .column_as(sum_of("total"), "sum")
            .group_by(invoice::Column::Tenant)
            .group_by(invoice::Column::Currency);
        // One transaction, so that what happens meanwhile is in both or in neither.
        let tx = self.snapshot().await?;
        let receivable = receivable.into_model::<TenantSum>().all(&tx).await?;
        let owed = owed.into_model::<TenantSum>().all(&tx).await?;
        Ok(differences(&receivable, &owed))
    }
}

/// Rows of one tenant, or, for jobs, of all.
fn of<E: Tenanted>(tenant: Option<&Tenant>) -> sea_orm::Select<E> {
    tenant.map_or_else(E::find, Tenant::find::<E>)
}

/// The sum of a `BIGINT` is a `NUMERIC` on PostgreSQL.
fn sum_of(column: &str) -> Expr {
    Expr::cust(format!("CAST(SUM({column}) AS BIGINT)"))
}

fn differences(receivable: &[TenantSum], owed: &[TenantSum]) -> Vec<String> {
    let find = |sums: &[TenantSum], of: &TenantSum| {
        let found = sums.iter().find(|sum| sum.tenant == of.tenant && sum.currency == of.currency);
        found.map_or(0, |sum| sum.sum)
    };
    let mut findings: Vec<String> = receivable
        .iter()
        .chain(owed)
        .filter_map(|of| {
            let (ledger, invoices) = (find(receivable, of), find(owed, of));
            let text = || {
                format!(
                    "the account receivable of tenant {} holds {ledger} {}, expected {invoices} as open invoices say",
                    of.tenant, of.currency
                )
            };
            (ledger != invoices).then(text)
        })
        .collect();
    findings.sort();
    findings.dedup();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_receivable_and_not_owed_is_found_by_tenant_and_currency() {
        let sum = |tenant: &str, currency: &str, sum| TenantSum {
            tenant: tenant.to_owned(),
            currency: currency.to_owned(),
            sum,
        };
        let receivable = [sum("a", "EUR", 5), sum("a", "USD", 7), sum("b", "EUR", 0)];
        let owed = [sum("a", "EUR", 5), sum("a", "USD", 6), sum("c", "JPY", 1)];
        let found = differences(&receivable, &owed);
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(
            found.first().is_some_and(|text| text.contains("tenant a holds 7 USD, expected 6")),
            "{found:?}"
        );
        assert!(
            found.last().is_some_and(|text| text.contains("tenant c holds 0 JPY, expected 1")),
            "{found:?}"
        );
    }
}
