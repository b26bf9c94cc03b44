//! `wharf.billing.v1.Subscriptions`.

use sea_orm::TransactionTrait;
use tonic::{Request, Response};
use wharf_proto::billing::v1 as pb;
use wharf_sdk::Tenant;

use super::plans::interval;
use super::{Answer, given, page, timestamp};
use crate::Billing;
use crate::error::{Error, Result};
use crate::subscriptions::{Cancellation, NewSubscription};
use crate::tables::subscription;

#[tonic::async_trait]
impl pb::subscriptions_server::Subscriptions for Billing {
    async fn create(&self, request: Request<pb::CreateSubscriptionRequest>) -> Answer<pb::Subscription> {
        let asked = request.into_inner();
        let new = NewSubscription {
            customer: asked.customer,
            plan: asked.plan,
            start: asked.start,
        };
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = self.subscribe(&tx, &Tenant::current(), new).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(message(row)?))
    }

    async fn get(&self, request: Request<pb::GetSubscriptionRequest>) -> Answer<pb::Subscription> {
        let row = self.subscription(&Tenant::current(), &request.into_inner().id).await?;
        Ok(Response::new(message(row)?))
    }

    async fn list(&self, request: Request<pb::ListSubscriptionsRequest>) -> Answer<pb::ListSubscriptionsResponse> {
        let asked = request.into_inner();
        let page = page(asked.page_size, &asked.page_token)?;
        let list = self.list_subscriptions(&Tenant::current(), given(&asked.customer), &page).await?;
        Ok(Response::new(pb::ListSubscriptionsResponse {
            subscriptions: list.items.into_iter().map(message).collect::<Result<_>>()?,
            next_page_token: list.next_page_token,
            total: list.total,
        }))
    }

    async fn change(&self, request: Request<pb::ChangeSubscriptionRequest>) -> Answer<pb::Subscription> {
        let asked = request.into_inner();
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = self.replan(&tx, &Tenant::current(), &asked.id, &asked.plan).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(message(row)?))
    }

    async fn pause(&self, request: Request<pb::PauseSubscriptionRequest>) -> Answer<pb::Subscription> {
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = Billing::pause(self, &tx, &Tenant::current(), &request.into_inner().id).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(message(row)?))
    }

    async fn resume(&self, request: Request<pb::ResumeSubscriptionRequest>) -> Answer<pb::Subscription> {
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = Billing::resume(self, &tx, &Tenant::current(), &request.into_inner().id).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(message(row)?))
    }

    async fn cancel(&self, request: Request<pb::CancelSubscriptionRequest>) -> Answer<pb::Subscription> {
        let asked = request.into_inner();
        let how = Cancellation {
            at_period_end: asked.at_period_end,
        };
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = Billing::cancel(self, &tx, &Tenant::current(), &asked.id, how).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(message(row)?))
    }
}

fn message(row: subscription::Model) -> Result<pb::Subscription> {
    Ok(pb::Subscription {
        interval: interval(&row.period)?.into(),
        id: row.id,
        customer: row.customer,
        plan: row.plan,
        currency: row.currency,
        status: row.status,
        anchor: row.anchor,
        trial_end: row.trial_end,
        ends_on: row.ends_on,
        next_invoice: row.next_due,
        created: timestamp(row.created),
        updated: timestamp(row.updated),
    })
}
