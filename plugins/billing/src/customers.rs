//! Customers: who is billed.

use sea_orm::{ActiveModelTrait as _, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, TransactionTrait};
use serde::Deserialize;
use utoipa::ToSchema;
use wharf_sdk::Tenant;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::{DbErrExt as _, Tx};

use crate::Billing;
use crate::access::{CUSTOMER_READ, CUSTOMER_WRITE, Object};
use crate::domain::money::Currency;
use crate::error::{Error, Result};
use crate::page::{List, Page};
use crate::tables::customer;
use crate::text;

/// A customer to be made.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewCustomer {
    /// For people to read.
    #[schema(min_length = 1, max_length = 200, example = "Ada Lovelace")]
    pub(crate) name: String,
    /// Subject of the account it belongs to, which sees it then; one customer for each account.
    #[schema(
        pattern = "^(user|service):[A-Za-z0-9._-]{1,64}$",
        example = "user:0197a0de-0000-7000-8000-000000000000"
    )]
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// Where invoices are mailed to.
    #[schema(format = "email", max_length = 254, example = "ada@example.org")]
    #[serde(default)]
    pub(crate) email: Option<String>,
    /// Code of ISO 4217; it never changes.
    #[schema(pattern = "^[A-Z]{3}$", example = "EUR")]
    pub(crate) currency: String,
    /// Tax in hundredths of a percent; without it the rate of the installation counts.
    #[schema(minimum = 0, maximum = 10000)]
    #[serde(default)]
    pub(crate) tax_bps: Option<u32>,
}

/// What is to change of a customer: fields that are left out stay.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CustomerChange {
    /// For people to read.
    #[schema(min_length = 1, max_length = 200)]
    #[serde(default)]
    pub(crate) name: Option<String>,
    /// Where invoices are mailed to.
    #[schema(format = "email", max_length = 254)]
    #[serde(default)]
    pub(crate) email: Option<String>,
    /// Tax in hundredths of a percent.
    #[schema(minimum = 0, maximum = 10000)]
    #[serde(default)]
    pub(crate) tax_bps: Option<u32>,
}

impl Billing {
    pub(crate) async fn create_customer(&self, tx: &Tx, tenant: &Tenant, new: NewCustomer) -> Result<customer::Model> {
        let now = text::now();
        let row = customer::Model {
            tenant: tenant.to_string(),
            id: text::new_id(),
            owner: new.owner.as_deref().map(text::subject).transpose()?,
            name: text::name(&new.name, "name")?,
            email: new.email.as_deref().map(text::email).transpose()?,
            currency: Currency::of(&new.currency)?.code().to_owned(),
            tax_bps: new.tax_bps.map(tax_rate).transpose()?,
            version: 1,
            created: now,
            updated: now,
        };
        let insert = customer::Entity::insert(tenant.stamp(row.clone().into_active_model().reset_all()));
        insert.exec_without_returning(tx).await.map_err(|error| match error.is_unique() {
            true => Error::Exists("this account is a customer already".to_owned()),
            false => error.into(),
        })?;
        let entry = Entry::of(CUSTOMER_WRITE)
            .on(object(&row).name())
            .added("name", &row.name)
            .added("owner", &row.owner);
        self.journal.record(tx, tenant, entry).await?;
        Ok(row)
    }

    /// One that the caller may read.
    pub(crate) async fn customer(&self, tenant: &Tenant, id: &str) -> Result<customer::Model> {
        let row = self.customer_row(&self.db, tenant, id).await?;
        self.access.sees(CUSTOMER_READ, object(&row))?;
        Ok(row)
    }

    /// One, whoever asks.
    pub(crate) async fn customer_row<C: sea_orm::ConnectionTrait>(&self, db: &C, tenant: &Tenant, id: &str) -> Result<customer::Model> {
        let id = text::id(id).ok_or(Error::NotFound("customer"))?;
        let found = tenant
            .find::<customer::Entity>()
            .filter(customer::Column::Id.eq(id))
            .one(db)
            .await?;
        found.ok_or(Error::NotFound("customer"))
    }

    pub(crate) async fn list_customers(&self, tenant: &Tenant, page: &Page) -> Result<List<customer::Model>> {
        let visible = self
            .access
            .rows(&self.db, CUSTOMER_READ, customer::Column::Owner, "customer", customer::Column::Id)?;
        let rows = tenant.find::<customer::Entity>().filter(visible);
        page.read(&self.db, rows, customer::Column::Id, |row| &row.id).await
    }

    /// Changes one of the version that the caller has read.
    pub(crate) async fn change_customer(&self, tenant: &Tenant, id: &str, version: i64, change: CustomerChange) -> Result<customer::Model> {
        let before = self.customer(tenant, id).await?;
        self.access.may(CUSTOMER_WRITE, object(&before))?;
        let mut after = before.clone();
        if let Some(name) = &change.name {
            after.name = text::name(name, "name")?;
        }
        if let Some(email) = &change.email {
            after.email = Some(text::email(email)?);
        }
        if let Some(rate) = change.tax_bps {
            after.tax_bps = Some(tax_rate(rate)?);
        }
        after.version = version.saturating_add(1);
        after.updated = text::now();
        let tx = self.db.begin().await?;
        let row = customer::ActiveModel {
            name: Set(after.name.clone()),
            email: Set(after.email.clone()),
            tax_bps: Set(after.tax_bps),
            version: Set(after.version),
            updated: Set(after.updated),
            ..Default::default()
        };
        let changed = tenant
            .update_many::<customer::Entity>()
            .set(row)
            .filter(customer::Column::Id.eq(&before.id))
            .filter(customer::Column::Version.eq(version))
            .exec(&tx)
            .await?;
        if changed.rows_affected == 0 {
            return Err(Error::Stale);
        }
        let entry = Entry::of(CUSTOMER_WRITE)
            .on(object(&before).name())
            .changed("name", &before.name, &after.name)
            .changed("email", &before.email, &after.email)
            .changed("tax_bps", &before.tax_bps, &after.tax_bps);
        self.journal.record(&tx, tenant, entry).await?;
        tx.commit().await?;
        Ok(after)
    }
}

pub(crate) fn object(row: &customer::Model) -> Object<'_> {
    Object {
        kind: "customer",
        id: &row.id,
        owner: row.owner.as_deref(),
    }
}

fn tax_rate(bps: u32) -> Result<i32> {
    match i32::try_from(bps) {
        Ok(rate) if rate <= 10_000 => Ok(rate),
        _ => Err(Error::Invalid(format!("found a tax of {bps} basis points, expected 0 to 10000"))),
    }
}
