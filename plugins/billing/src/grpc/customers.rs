//! `wharf.billing.v1.Customers`.

use sea_orm::TransactionTrait;
use tonic::{Request, Response};
use wharf_proto::billing::v1 as pb;
use wharf_sdk::Tenant;

use super::{Answer, page, timestamp};
use crate::Billing;
use crate::customers::{CustomerChange, NewCustomer};
use crate::error::Error;
use crate::tables::customer;

#[tonic::async_trait]
impl pb::customers_server::Customers for Billing {
    async fn create(&self, request: Request<pb::CreateCustomerRequest>) -> Answer<pb::Customer> {
        let asked = request.into_inner();
        let new = NewCustomer {
            name: asked.name,
            owner: asked.owner,
            email: asked.email,
            currency: asked.currency,
            tax_bps: asked.tax_bps,
        };
        let tx = self.db.begin().await.map_err(Error::from)?;
        let row = self.create_customer(&tx, &Tenant::current(), new).await?;
        tx.commit().await.map_err(Error::from)?;
        Ok(Response::new(row.into()))
    }

    async fn get(&self, request: Request<pb::GetCustomerRequest>) -> Answer<pb::Customer> {
        let row = self.customer(&Tenant::current(), &request.into_inner().id).await?;
        Ok(Response::new(row.into()))
    }

    async fn list(&self, request: Request<pb::ListCustomersRequest>) -> Answer<pb::ListCustomersResponse> {
        let asked = request.into_inner();
        let page = page(asked.page_size, &asked.page_token)?;
        let list = self.list_customers(&Tenant::current(), &page).await?;
        Ok(Response::new(pb::ListCustomersResponse {
            customers: list.items.into_iter().map(Into::into).collect(),
            next_page_token: list.next_page_token,
            total: list.total,
        }))
    }

    async fn update(&self, request: Request<pb::UpdateCustomerRequest>) -> Answer<pb::Customer> {
        let asked = request.into_inner();
        let change = CustomerChange {
            name: asked.name,
            email: asked.email,
            tax_bps: asked.tax_bps,
        };
        let row = self.change_customer(&Tenant::current(), &asked.id, asked.version, change).await?;
        Ok(Response::new(row.into()))
    }
}

impl From<customer::Model> for pb::Customer {
    fn from(row: customer::Model) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            name: row.name,
            email: row.email,
            currency: row.currency,
            tax_bps: row.tax_bps.map(i32::unsigned_abs),
            version: row.version,
            created: timestamp(row.created),
            updated: timestamp(row.updated),
        }
    }
}
