//! Tenants. Making and listing them is for whoever may act in all of them.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_proto::pages;

use crate::Identity;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::journal::Line;
use crate::tables::tenant;
use crate::text::{self, now};
use crate::users::unique;

const READ: &str = "identity.tenant.read";
const WRITE: &str = "identity.tenant.write";
const ALL: &str = "*";

impl Identity {
    pub(crate) async fn create_tenant(&self, caller: &Caller, id: &str, name: &str) -> Result<tenant::Model> {
        self.needs_all(caller, WRITE).await?;
        let id = text::tenant(id)?;
        let name = text::name(name)?;
        let tenant = tenant::Model {
            name: if name.is_empty() { id.clone() } else { name },
            created: now(),
            id,
        };
        let tx = self.db.begin().await?;
        tenant::Entity::insert(tenant::ActiveModel::from(tenant.clone()))
            .exec_without_returning(&tx)
            .await
            .map_err(|error| unique(error, || Error::Exists(format!("there is a tenant {} already", tenant.id))))?;
        let line = Line::of("identity.tenant.create", format!("tenant:{}", tenant.id), &tenant.id).changed("name", "", &tenant.name);
        self.journal.record(&tx, line).await?;
        tx.commit().await?;
        Ok(tenant)
    }

    pub(crate) async fn tenant(&self, caller: &Caller, id: &str) -> Result<tenant::Model> {
        self.sees(caller, id, READ, "tenant").await?;
        let found = tenant::Entity::find_by_id(id).one(&self.db).await?;
        found.ok_or(Error::NotFound("tenant"))
    }

    pub(crate) async fn list_tenants(&self, caller: &Caller, size: u32, after: &str) -> Result<(Vec<tenant::Model>, String)> {
        self.needs_all(caller, READ).await?;
        let size = pages::size(size);
        let mut rows = tenant::Entity::find()
            .filter(tenant::Column::Id.gt(after))
            .order_by_asc(tenant::Column::Id)
            .limit(size as u64 + 1)
            .all(&self.db)
            .await?;
        let next = pages::cut(&mut rows, size, |row| row.id.clone());
        Ok((rows, next))
    }

    async fn needs_all(&self, caller: &Caller, permission: &str) -> Result<()> {
        match self.may_act_in(caller, ALL, permission).await? {
            true => Ok(()),
            false => Err(Error::Denied(format!(
                "{} does not hold {permission} in all tenants",
                caller.subject
            ))),
        }
    }
}
