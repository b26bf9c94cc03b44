//! Accounts of programs. A secret is shown once; what is kept is its hash.

use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_proto::pages;

use crate::Identity;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::journal::{AccountChanged, Line};
use crate::random;
use crate::status::{self, ACTIVE};
use crate::tables::{service, tenant};
use crate::text::{self, now};
use crate::users::unique;

pub(crate) const READ: &str = "identity.service_account.read";
pub(crate) const WRITE: &str = "identity.service_account.write";

impl Identity {
    /// Gives the account and its secret.
    pub(crate) async fn create_service(
        &self,
        caller: &Caller,
        tenant: &str,
        name: &str,
        description: &str,
    ) -> Result<(service::Model, String)> {
        let tenant = self.tenant_of(caller, tenant, WRITE).await?;
        let (secret, now) = (random::secret()?, now());
        let service = service::Model {
            id: random::id(),
            tenant,
            name: text::required_name(name, "service account")?,
            description: text::name(description)?,
            status: ACTIVE.to_owned(),
            secret_hash: random::hash(&secret),
            secret_made: now,
            created: now,
            updated: now,
        };
        let tx = self.db.begin().await?;
        if tenant::Entity::find_by_id(service.tenant.clone()).one(&tx).await?.is_none() {
            return Err(Error::NotFound("tenant"));
        }
        service::Entity::insert(service::ActiveModel::from(service.clone()))
            .exec_without_returning(&tx)
            .await
            .map_err(|error| {
                unique(error, || {
                    Error::Exists(format!("the tenant has a service account {} already", service.name))
                })
            })?;
        let line = Line::of("identity.service_account.create", object(&service), &service.tenant).changed("name", "", &service.name);
        self.journal.record(&tx, line).await?;
        self.journal.account(&tx, &changed(&service)).await?;
        tx.commit().await?;
        Ok((service, secret))
    }

    pub(crate) async fn service(&self, caller: &Caller, id: &str, permission: &str) -> Result<service::Model> {
        let found = service::Entity::find_by_id(id).one(&self.db).await?;
        let found = found.ok_or(Error::NotFound("service account"))?;
        self.sees(caller, &found.tenant, permission, "service account").await?;
        Ok(found)
    }

    pub(crate) async fn list_services(
        &self,
        caller: &Caller,
        tenant: &str,
        size: u32,
        after: &str,
    ) -> Result<(Vec<service::Model>, String)> {
        let tenant = self.tenant_of(caller, tenant, READ).await?;
        let size = pages::size(size);
        let mut rows = service::Entity::find()
            .filter(service::Column::Tenant.eq(tenant))
            .filter(service::Column::Id.gt(after))
            .order_by_asc(service::Column::Id)
            .limit(size as u64 + 1)
            .all(&self.db)
            .await?;
        let next = pages::cut(&mut rows, size, |row| row.id.clone());
        Ok((rows, next))
    }

    /// Gives the account and its new secret.
    pub(crate) async fn rotate_service(&self, caller: &Caller, id: &str) -> Result<(service::Model, String)> {
        let mut service = self.service(caller, id, WRITE).await?;
        let secret = random::secret()?;
        service.secret_hash = random::hash(&secret);
        service.secret_made = now();
        let line = Line::of("identity.service_account.rotate", object(&service), &service.tenant);
        let told = AccountChanged {
            credentials_changed: true,
            credentials_changed_at: service.secret_made,
            ..changed(&service)
        };
        self.store_service(&mut service, line, told).await?;
        Ok((service, secret))
    }

    pub(crate) async fn set_service_status(&self, caller: &Caller, id: &str, status: &str) -> Result<service::Model> {
        let status = status::settable(status)?;
        let mut service = self.service(caller, id, WRITE).await?;
        let line =
            Line::of("identity.service_account.set_status", object(&service), &service.tenant).changed("status", &service.status, status);
        status.clone_into(&mut service.status);
        let told = changed(&service);
        self.store_service(&mut service, line, told).await?;
        Ok(service)
    }

    pub(crate) async fn delete_service(&self, caller: &Caller, id: &str) -> Result<()> {
        let service = self.service(caller, id, WRITE).await?;
        let tx = self.db.begin().await?;
        self.leave_all_groups(&tx, &object(&service), &service.tenant).await?;
        service::Entity::delete_by_id(id).exec(&tx).await?;
        let line = Line::of("identity.service_account.delete", object(&service), &service.tenant).changed("name", &service.name, "");
        self.journal.record(&tx, line).await?;
        let gone = AccountChanged {
            deleted: true,
            ..changed(&service)
        };
        self.journal.account(&tx, &gone).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn store_service(&self, service: &mut service::Model, line: Line, told: AccountChanged) -> Result<()> {
        service.updated = now();
        let tx = self.db.begin().await?;
        service::Entity::update(service.clone().into_active_model().reset_all())
            .exec(&tx)
            .await?;
        self.journal.record(&tx, line).await?;
        self.journal.account(&tx, &told).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// What an event says of an account.
pub(crate) fn changed(service: &service::Model) -> AccountChanged {
    AccountChanged {
        id: service.id.clone(),
        kind: "service".to_owned(),
        tenant: service.tenant.clone(),
        status: service.status.clone(),
        deleted: false,
        credentials_changed: false,
        credentials_changed_at: 0,
        session: None,
    }
}

fn object(service: &service::Model) -> String {
    format!("service:{}", service.id)
}
