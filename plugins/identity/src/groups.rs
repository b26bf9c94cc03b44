//! Groups and who is in them.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_proto::pages;

use crate::Identity;
use crate::caller::Caller;
use crate::error::{Error, Result};
use crate::journal::{Line, MembershipChanged};
use crate::random;
use crate::tables::{group, member, service, tenant, user};
use crate::text::{self, now};
use crate::users::unique;

pub(crate) const READ: &str = "identity.group.read";
pub(crate) const WRITE: &str = "identity.group.write";

impl Identity {
    pub(crate) async fn create_group(&self, caller: &Caller, tenant: &str, name: &str, description: &str) -> Result<group::Model> {
        let tenant = self.tenant_of(caller, tenant, WRITE).await?;
        let group = group::Model {
            id: random::id(),
            name: text::required_name(name, "group")?,
            description: text::name(description)?,
            created: now(),
            tenant,
        };
        let tx = self.db.begin().await?;
        if tenant::Entity::find_by_id(group.tenant.clone()).one(&tx).await?.is_none() {
            return Err(Error::NotFound("tenant"));
        }
        group::Entity::insert(group::ActiveModel::from(group.clone()))
            .exec_without_returning(&tx)
            .await
            .map_err(|error| unique(error, || Error::Exists(format!("the tenant has a group {} already", group.name))))?;
        let line = Line::of("identity.group.create", object(&group), &group.tenant).changed("name", "", &group.name);
        self.journal.record(&tx, line).await?;
        tx.commit().await?;
        Ok(group)
    }

    pub(crate) async fn group(&self, caller: &Caller, id: &str, permission: &str) -> Result<group::Model> {
        let found = group::Entity::find_by_id(id).one(&self.db).await?.ok_or(Error::NotFound("group"))?;
        self.sees(caller, &found.tenant, permission, "group").await?;
        Ok(found)
    }

    pub(crate) async fn list_groups(&self, caller: &Caller, tenant: &str, size: u32, after: &str) -> Result<(Vec<group::Model>, String)> {
        let tenant = self.tenant_of(caller, tenant, READ).await?;
        let size = pages::size(size);
        let mut rows = group::Entity::find()
            .filter(group::Column::Tenant.eq(tenant))
            .filter(group::Column::Id.gt(after))
            .order_by_asc(group::Column::Id)
            .limit(size as u64 + 1)
            .all(&self.db)
            .await?;
        let next = pages::cut(&mut rows, size, |row| row.id.clone());
        Ok((rows, next))
    }

    pub(crate) async fn delete_group(&self, caller: &Caller, id: &str) -> Result<()> {
        let group = self.group(caller, id, WRITE).await?;
        let tx = self.db.begin().await?;
        let members = member::Entity::find().filter(member::Column::Team.eq(id)).all(&tx).await?;
        member::Entity::delete_many().filter(member::Column::Team.eq(id)).exec(&tx).await?;
        group::Entity::delete_by_id(id).exec(&tx).await?;
        for row in members {
            self.journal.membership(&tx, &moved(&group, &row.member, false)).await?;
        }
        let line = Line::of("identity.group.delete", object(&group), &group.tenant).changed("name", &group.name, "");
        self.journal.record(&tx, line).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Whether it was not there yet.
    pub(crate) async fn add_member(&self, caller: &Caller, group: &str, subject: &str) -> Result<bool> {
        let group = self.group(caller, group, WRITE).await?;
        let tx = self.db.begin().await?;
        let tenant = match subject.split_once(':') {
            Some(("user", id)) => user::Entity::find_by_id(id).one(&tx).await?.map(|user| user.tenant),
            Some(("service", id)) => service::Entity::find_by_id(id).one(&tx).await?.map(|service| service.tenant),
            _ => return Err(Error::Invalid(format!("found member {subject:?}, expected user:ID or service:ID"))),
        };
        if tenant.as_deref() != Some(&group.tenant) {
            return Err(Error::NotFound("account in the group's tenant"));
        }
        let row = member::ActiveModel {
            team: Set(group.id.clone()),
            member: Set(subject.to_owned()),
            created: Set(now()),
        };
        let there = OnConflict::columns([member::Column::Team, member::Column::Member])
            .do_nothing()
            .to_owned();
        let inserted = member::Entity::insert(row).on_conflict(there).exec_without_returning(&tx).await?;
        if inserted == 0 {
            return Ok(false);
        }
        self.journal.membership(&tx, &moved(&group, subject, true)).await?;
        let line = Line::of("identity.group.add_member", object(&group), &group.tenant).changed("member", "", subject);
        self.journal.record(&tx, line).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Whether it was there.
    pub(crate) async fn remove_member(&self, caller: &Caller, group: &str, subject: &str) -> Result<bool> {
        let group = self.group(caller, group, WRITE).await?;
        let tx = self.db.begin().await?;
        let removed = member::Entity::delete_by_id((group.id.clone(), subject.to_owned()))
            .exec(&tx)
            .await?;
        if removed.rows_affected == 0 {
            return Ok(false);
        }
        self.journal.membership(&tx, &moved(&group, subject, false)).await?;
        let line = Line::of("identity.group.remove_member", object(&group), &group.tenant).changed("member", subject, "");
        self.journal.record(&tx, line).await?;
        tx.commit().await?;
        Ok(true)
    }

    pub(crate) async fn list_members(&self, caller: &Caller, group: &str, size: u32, after: &str) -> Result<(Vec<String>, String)> {
        let group = self.group(caller, group, READ).await?;
        let size = pages::size(size);
        let rows = member::Entity::find()
            .filter(member::Column::Team.eq(group.id))
            .filter(member::Column::Member.gt(after))
            .order_by_asc(member::Column::Member)
            .limit(size as u64 + 1)
            .all(&self.db)
            .await?;
        let mut members: Vec<String> = rows.into_iter().map(|row| row.member).collect();
        let next = pages::cut(&mut members, size, Clone::clone);
        Ok((members, next))
    }
}

fn object(group: &group::Model) -> String {
    format!("group:{}", group.id)
}

fn moved(group: &group::Model, member: &str, present: bool) -> MembershipChanged {
    MembershipChanged {
        group: group.id.clone(),
        member: member.to_owned(),
        tenant: group.tenant.clone(),
        present,
    }
}
