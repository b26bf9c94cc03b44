//! How rules are read and written. A change is one transaction: the rows, the epoch, and what changed.

use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, DbErr, EntityTrait, ExprTrait, QueryFilter, QueryOrder, TransactionTrait};
use wharf_proto::authz::v1::{DeclaredPermission, ModulePermissions};
use wharf_sdk::services::database::{Db, Tx};

use crate::error::{Error, Result};
use crate::line::{BindingLine, Change, RoleLine, RuleLine};
use crate::tables::{binding, change, epoch, permission, role, rule};

/// How many changes are kept for nodes that come late; others read everything again.
pub(crate) const KEPT: i64 = 1_000;
/// Rows of one statement.
const ROWS: usize = 200;
/// What permissions of the host itself begin with: none of them belongs to a tenant.
const OF_THE_HOST: &str = "wharf.";
/// The one row of the epoch.
const ROW: i64 = 1;

/// The tables. Clones are the same ones.
#[derive(Clone, Debug)]
pub(crate) struct Store(Db);

impl Store {
    pub(crate) fn new(db: Db) -> Self {
        Self(db)
    }

    pub(crate) async fn begin(&self) -> Result<Tx> {
        Ok(self.0.begin().await?)
    }

    /// How often the rules were changed.
    pub(crate) async fn epoch(&self) -> Result<u64> {
        Ok(value(&self.0).await?)
    }

    pub(crate) async fn rules(&self) -> Result<Vec<RuleLine>, DbErr> {
        let rows = rule::Entity::find().order_by_asc(rule::Column::Id).all(&self.0).await?;
        Ok(rows.into_iter().map(RuleLine::from).collect())
    }

    pub(crate) async fn bindings(&self) -> Result<Vec<BindingLine>, DbErr> {
        let rows = binding::Entity::find().order_by_asc(binding::Column::Id).all(&self.0).await?;
        Ok(rows.into_iter().map(BindingLine::from).collect())
    }

    pub(crate) async fn roles(&self) -> Result<Vec<RoleLine>> {
        let rows = role::Entity::find().all(&self.0).await?;
        Ok(rows.into_iter().map(RoleLine::from).collect())
    }

    /// What changed after an epoch, in order.
    pub(crate) async fn changes_after(&self, epoch: u64) -> Result<Vec<(u64, Change)>> {
        let rows = change::Entity::find()
            .filter(change::Column::Epoch.gt(signed(epoch)))
            .order_by_asc(change::Column::Epoch)
            .all(&self.0)
            .await?;
        let read = |row: change::Model| Ok((unsigned(row.epoch), serde_json::from_str(&row.data)?));
        rows.into_iter().map(read).collect()
    }

    /// Writes a change in a transaction, and gives the epoch it leads to. With `expected`, only if that is the epoch now: none
    /// when somebody was faster.
    pub(crate) async fn write(&self, tx: &Tx, expected: Option<u64>, change: &Change) -> Result<Option<u64>> {
        let mut next = epoch::Entity::update_many()
            .col_expr(epoch::Column::Value, Expr::col(epoch::Column::Value).add(1))
            .filter(epoch::Column::Id.eq(ROW));
        if let Some(expected) = expected {
            next = next.filter(epoch::Column::Value.eq(signed(expected)));
        }
        // The row is locked from here on: changes are committed in the order of their epochs.
        if next.exec(tx).await?.rows_affected == 0 {
            return Ok(None);
        }
        let epoch = value(tx).await?;
        write_rules(tx, change).await?;
        write_bindings(tx, change).await?;
        write_roles(tx, change).await?;
        let row = change::ActiveModel {
            epoch: Set(signed(epoch)),
            data: Set(serde_json::to_string(change)?),
        };
        change::Entity::insert(row).exec_without_returning(tx).await?;
        change::Entity::delete_many()
            .filter(change::Column::Epoch.lte(signed(epoch) - KEPT))
            .exec(tx)
            .await?;
        Ok(Some(epoch))
    }

    /// What modules of a node declare, in place of what it said before.
    pub(crate) async fn report(&self, node: &str, modules: &[ModulePermissions]) -> Result<()> {
        let mut rows: Vec<permission::Model> = Vec::new();
        for module in modules {
            for declared in &module.permissions {
                rows.push(permission::Model {
                    node: node.to_owned(),
                    module: module.module.clone(),
                    name: declared.name.clone(),
                    description: declared.description.clone(),
                    installation: declared.installation,
                });
            }
        }
        let key = |row: &permission::Model| (row.module.clone(), row.name.clone());
        rows.sort_by_key(key);
        rows.dedup_by_key(|row| key(row));
        let of_node = || permission::Entity::find().filter(permission::Column::Node.eq(node));
        let mut found = of_node().all(&self.0).await?;
        found.sort_by_key(key);
        if found == rows {
            return Ok(());
        }
        let tx = self.begin().await?;
        permission::Entity::delete_many()
            .filter(permission::Column::Node.eq(node))
            .exec(&tx)
            .await?;
        for part in rows.chunks(ROWS) {
            let part = part.iter().cloned().map(permission::ActiveModel::from);
            permission::Entity::insert_many(part).exec_without_returning(&tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Whether a permission reaches beyond a tenant: those of the host do, and what any node's module says of its own.
    pub(crate) async fn reaches_everywhere(&self, permission: &str) -> Result<bool> {
        if permission.starts_with(OF_THE_HOST) {
            return Ok(true);
        }
        let found = permission::Entity::find()
            .filter(permission::Column::Name.eq(permission))
            .filter(permission::Column::Installation.eq(true));
        Ok(found.one(&self.0).await?.is_some())
    }

    /// What modules of all nodes declare.
    pub(crate) async fn declared(&self) -> Result<Vec<DeclaredPermission>> {
        let rows = permission::Entity::find()
            .order_by_asc(permission::Column::Name)
            .order_by_asc(permission::Column::Module)
            .all(&self.0)
            .await?;
        let mut declared: Vec<DeclaredPermission> = rows
            .into_iter()
            .map(|row| DeclaredPermission {
                name: row.name,
                description: row.description,
                module: row.module,
                installation: row.installation,
            })
            .collect();
        declared.dedup_by(|a, b| a.name == b.name && a.module == b.module);
        Ok(declared)
    }
}

async fn value<C: ConnectionTrait>(db: &C) -> Result<u64, DbErr> {
    let row = epoch::Entity::find_by_id(ROW).one(db).await?;
    Ok(row.map_or(0, |row| unsigned(row.value)))
}

async fn write_rules(tx: &Tx, change: &Change) -> Result<(), Error> {
    for line in &change.rules_removed {
        rule::Entity::delete_many()
            .filter(rule::Column::Subject.eq(&line.subject))
            .filter(rule::Column::Tenant.eq(&line.tenant))
            .filter(rule::Column::Permission.eq(&line.permission))
            .filter(rule::Column::Resource.eq(&line.resource))
            .filter(rule::Column::Deny.eq(line.deny))
            .exec(tx)
            .await?;
    }
    for part in change.rules_added.chunks(ROWS) {
        let rows = part.iter().cloned().map(|line| rule::ActiveModel {
            subject: Set(line.subject),
            tenant: Set(line.tenant),
            permission: Set(line.permission),
            resource: Set(line.resource),
            deny: Set(line.deny),
            ..Default::default()
        });
        let there = OnConflict::new().do_nothing().to_owned();
        rule::Entity::insert_many(rows)
            .on_conflict(there)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

async fn write_bindings(tx: &Tx, change: &Change) -> Result<(), Error> {
    for line in &change.bindings_removed {
        binding::Entity::delete_many()
            .filter(binding::Column::Member.eq(&line.member))
            .filter(binding::Column::Role.eq(&line.role))
            .filter(binding::Column::Tenant.eq(&line.tenant))
            .exec(tx)
            .await?;
    }
    for part in change.bindings_added.chunks(ROWS) {
        let rows = part.iter().cloned().map(|line| binding::ActiveModel {
            member: Set(line.member),
            role: Set(line.role),
            tenant: Set(line.tenant),
            ..Default::default()
        });
        let there = OnConflict::new().do_nothing().to_owned();
        binding::Entity::insert_many(rows)
            .on_conflict(there)
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

async fn write_roles(tx: &Tx, change: &Change) -> Result<(), Error> {
    for name in &change.roles_removed {
        role::Entity::delete_by_id(name.clone()).exec(tx).await?;
    }
    for line in change.roles_added.iter().cloned() {
        let row = role::ActiveModel {
            name: Set(line.name),
            description: Set(line.description),
            tenant: Set(line.tenant),
            built_in: Set(line.built_in),
        };
        role::Entity::insert(row).exec_without_returning(tx).await?;
    }
    Ok(())
}

impl From<rule::Model> for RuleLine {
    fn from(row: rule::Model) -> Self {
        Self {
            subject: row.subject,
            tenant: row.tenant,
            permission: row.permission,
            resource: row.resource,
            deny: row.deny,
        }
    }
}

impl From<binding::Model> for BindingLine {
    fn from(row: binding::Model) -> Self {
        Self {
            member: row.member,
            role: row.role,
            tenant: row.tenant,
        }
    }
}

impl From<role::Model> for RoleLine {
    fn from(row: role::Model) -> Self {
        Self {
            name: row.name,
            description: row.description,
            tenant: row.tenant,
            built_in: row.built_in,
        }
    }
}

fn signed(epoch: u64) -> i64 {
    i64::try_from(epoch).unwrap_or(i64::MAX)
}

fn unsigned(epoch: i64) -> u64 {
    u64::try_from(epoch).unwrap_or_default()
}
