//! `wharf.billing.v1.Usage`.

use sea_orm::TransactionTrait;
use tonic::{Request, Response, Streaming};
use wharf_proto::billing::v1 as pb;
use wharf_sdk::Tenant;

use super::Answer;
use crate::Billing;
use crate::error::{Error, Result};
use crate::text;
use crate::usage::{NewUsage, Recorded};

/// Records that are written together.
const BATCH: usize = 100;

#[tonic::async_trait]
impl pb::usage_server::Usage for Billing {
    async fn record(&self, request: Request<Streaming<pb::UsageRecord>>) -> Answer<pb::RecordUsageResponse> {
        let tenant = Tenant::current();
        let mut records = request.into_inner();
        let mut batch = Vec::with_capacity(BATCH);
        let mut sum = Recorded::default();
        loop {
            let next = records.message().await?;
            let is_last = next.is_none();
            batch.extend(next.map(record).transpose()?);
            if batch.len() == BATCH || (is_last && !batch.is_empty()) {
                let recorded = self.record_batch(&tenant, &batch).await?;
                sum.accepted += recorded.accepted;
                sum.duplicates += recorded.duplicates;
                batch.clear();
            }
            if is_last {
                return Ok(Response::new(pb::RecordUsageResponse {
                    accepted: sum.accepted,
                    duplicates: sum.duplicates,
                }));
            }
        }
    }

    async fn summary(&self, request: Request<pb::UsageSummaryRequest>) -> Answer<pb::UsageSummary> {
        let tenant = Tenant::current();
        let row = self.subscription(&tenant, &request.into_inner().subscription).await?;
        let features = self.open_usage(&tenant, &row.id).await?.into_iter().map(|used| pb::FeatureUsage {
            feature: used.feature,
            quantity: used.quantity,
        });
        Ok(Response::new(pb::UsageSummary {
            features: features.collect(),
        }))
    }
}

impl Billing {
    async fn record_batch(&self, tenant: &Tenant, batch: &[NewUsage]) -> Result<Recorded> {
        let tx = self.db.begin().await?;
        let recorded = self.record_usage(&tx, tenant, batch).await?;
        tx.commit().await?;
        Ok(recorded)
    }
}

fn record(record: pb::UsageRecord) -> Result<NewUsage> {
    let at = record.at.map(|at| {
        let millis = at
            .seconds
            .checked_mul(1000)
            .and_then(|millis| millis.checked_add(i64::from(at.nanos) / 1_000_000));
        millis.ok_or_else(|| Error::Invalid("found a time that is too far away, expected one of this millennium".to_owned()))
    });
    Ok(NewUsage {
        subscription: record.subscription,
        feature: record.feature,
        quantity: record.quantity,
        key: record.key,
        at: at.transpose()?.map(text::time),
    })
}
