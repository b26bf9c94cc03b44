//! API keys: secrets of programs that stand for an account. Only their digests are kept.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_proto::identity::v1::Account;
use wharf_proto::pages;
use wharf_sdk::audit::Entry;

use crate::config::millis;
use crate::failure::Failure;
use crate::grpc::Page;
use crate::revocations::Revoked;
use crate::scopes::is_glob;
use crate::secret::{Secret, digest, hint_of, looks_like_api_key};
use crate::tables::api_key;
use crate::{Inner, new_id, now_ms};

/// How often the time of the last use is written, at most.
const USE_STEP_MS: i64 = 60_000;
const MOST_SCOPES: usize = 100;

/// A key to be made.
pub(crate) struct NewKey {
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    /// 0: as long as may be.
    pub(crate) lifetime_seconds: u64,
}

/// Whose keys.
#[derive(Clone, Debug)]
pub(crate) struct Whose {
    pub(crate) tenant: Option<String>,
    pub(crate) account: Option<String>,
}

impl Inner {
    /// Makes a key for an account. The secret is the only copy.
    pub(crate) async fn make_api_key(&self, account: &Account, new: NewKey) -> Result<(Secret, api_key::Model), Failure> {
        let expires_at = self.check(&new)?;
        let key = Secret::api_key()?;
        let row = api_key::ActiveModel {
            id: Set(new_id()),
            hash: Set(key.digest()),
            hint: Set(hint_of(&key)),
            name: Set(new.name.trim().to_owned()),
            account: Set(account.id.clone()),
            kind: Set(account.kind.clone()),
            tenant: Set(account.tenant.clone()),
            scopes: Set(serde_json::to_string(&new.scopes).map_err(Failure::internal)?),
            created_at: Set(now_ms()),
            expires_at: Set(expires_at),
            revoked_at: Set(None),
            used_at: Set(None),
        };
        let tx = self.db.begin().await?;
        let row = api_key::Entity::insert(row).exec_with_returning(&tx).await?;
        let made = Entry::of("auth.api-key.create")
            .on(format!("api-key/{}", row.id))
            .in_tenant(&row.tenant);
        let made = made
            .added("account", &row.account)
            .added("name", &row.name)
            .added("scopes", &new.scopes);
        self.record(&tx, made).await?;
        tx.commit().await?;
        tracing::info!(api_key.id = row.id, "an API key was made");
        Ok((key, row))
    }

    fn check(&self, new: &NewKey) -> Result<Option<i64>, Failure> {
        let length = new.name.trim().chars().count();
        if !(1..=100).contains(&length) || new.name.chars().any(char::is_control) {
            return Err(Failure::Invalid(format!(
                "found a name of {length} characters, expected 1 to 100, none of them a control character"
            )));
        }
        if new.scopes.len() > MOST_SCOPES {
            return Err(Failure::Invalid(format!(
                "found {} scopes, expected at most {MOST_SCOPES}",
                new.scopes.len()
            )));
        }
        new.scopes.iter().try_for_each(|scope| is_glob(scope))?;
        let (longest, asked) = (self.config.api_key_seconds, new.lifetime_seconds);
        if longest > 0 && asked > longest {
            return Err(Failure::Invalid(format!(
                "found a lifetime of {asked} seconds, expected at most {longest}"
            )));
        }
        let seconds = if asked == 0 { longest } else { asked };
        Ok((seconds > 0).then(|| now_ms().saturating_add(millis(seconds))))
    }

    /// The key, and the account it stands for, if it counts now.
    pub(crate) async fn check_api_key(&self, key: &str) -> Result<Option<(api_key::Model, Account)>, Failure> {
        if !looks_like_api_key(key) {
            return Ok(None);
        }
        let row = api_key::Entity::find()
            .filter(api_key::Column::Hash.eq(digest(key)))
            .one(&self.db)
            .await?;
        let now = now_ms();
        let counts = |row: &api_key::Model| row.revoked_at.is_none() && row.expires_at.is_none_or(|at| at > now);
        let Some(row) = row.filter(counts) else { return Ok(None) };
        let Some(account) = self.directory.active(&row.account).await? else {
            return Ok(None);
        };
        if row.used_at.is_none_or(|at| at + USE_STEP_MS < now) {
            api_key::Entity::update_many()
                .col_expr(api_key::Column::UsedAt, Expr::value(now))
                .filter(api_key::Column::Id.eq(&row.id))
                .exec(&self.db)
                .await?;
        }
        Ok(Some((row, account)))
    }

    /// Keys, newest first, those that do not count any more too, and the token of the next page.
    pub(crate) async fn list_api_keys(&self, whose: &Whose, page: &Page) -> Result<(Vec<api_key::Model>, String), Failure> {
        let mut found = of(whose);
        if let Some(after) = &page.after {
            found = found.filter(api_key::Column::Id.lt(after));
        }
        let found = found.order_by_desc(api_key::Column::Id).limit(page.size as u64 + 1);
        let mut rows = found.all(&self.db).await?;
        let next = pages::cut(&mut rows, page.size, |row| row.id.clone());
        Ok((rows, next))
    }

    /// Revokes one. Every node knows within a second.
    pub(crate) async fn revoke_api_key(&self, whose: &Whose, id: &str) -> Result<(), Failure> {
        let tx = self.db.begin().await?;
        let row = of(whose).filter(api_key::Column::Id.eq(id)).one(&tx).await?;
        let row = row.ok_or(Failure::Missing("there is no such API key"))?;
        if row.revoked_at.is_none() {
            api_key::Entity::update_many()
                .col_expr(api_key::Column::RevokedAt, Expr::value(now_ms()))
                .filter(api_key::Column::Id.eq(id))
                .exec(&tx)
                .await?;
            let revoked = Entry::of("auth.api-key.revoke").on(format!("api-key/{id}")).in_tenant(&row.tenant);
            self.record(&tx, revoked.added("account", &row.account)).await?;
            self.revoke(&tx, [Revoked::ApiKey(row.id)]).await?;
        }
        tx.commit().await?;
        self.look().await
    }
}

fn of(whose: &Whose) -> sea_orm::Select<api_key::Entity> {
    let mut found = api_key::Entity::find();
    if let Some(tenant) = &whose.tenant {
        found = found.filter(api_key::Column::Tenant.eq(tenant));
    }
    if let Some(account) = &whose.account {
        found = found.filter(api_key::Column::Account.eq(account));
    }
    found
}
