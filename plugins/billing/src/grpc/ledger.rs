//! `wharf.billing.v1.Ledger`.

use tonic::{Request, Response};
use wharf_proto::billing::v1 as pb;
use wharf_sdk::Tenant;

use super::Answer;
use crate::Billing;

#[tonic::async_trait]
impl pb::ledger_server::Ledger for Billing {
    async fn trial_balance(&self, _: Request<pb::TrialBalanceRequest>) -> Answer<pb::TrialBalanceResponse> {
        let accounts = Billing::trial_balance(self, &Tenant::current()).await?;
        let accounts = accounts.into_iter().map(|balance| pb::AccountBalance {
            currency: balance.currency,
            account: balance.account,
            debit: balance.debit,
            credit: balance.credit,
        });
        Ok(Response::new(pb::TrialBalanceResponse {
            accounts: accounts.collect(),
        }))
    }

    async fn check(&self, _: Request<pb::CheckLedgerRequest>) -> Answer<pb::CheckLedgerResponse> {
        let check = self.check_ledger(Some(&Tenant::current())).await?;
        Ok(Response::new(pb::CheckLedgerResponse {
            balanced: check.balanced,
            findings: check.findings,
        }))
    }
}
