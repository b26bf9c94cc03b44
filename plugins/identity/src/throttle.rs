//! Wrong tries: counted for each login and each account, in the database, so that all nodes know.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QuerySelect, TransactionTrait};
use wharf_sdk::services::database::Db;

use crate::config::Lockout;
use crate::error::Result;
use crate::random;
use crate::tables::attempt;

/// After that long without a wrong try counting begins anew.
const FORGET: i64 = 24 * 60 * 60 * 1000;

/// Counts wrong tries.
#[derive(Clone, Debug)]
pub(crate) struct Throttle {
    db: Db,
    config: Lockout,
}

/// What is counted together.
pub(crate) struct Counted(Vec<String>);

impl Counted {
    /// A login, and the account it belongs to, if it does. There are two rows in both cases, so that they cost the same.
    pub(crate) fn login(tenant: &str, login: &str, account: Option<&str>) -> Self {
        // Hashed: what people type into the wrong field is a password now and then.
        let login = random::hash(&format!("{tenant}\0{login}"));
        let second = account.map_or_else(|| format!("nobody:{login}"), |id| format!("account:{id}"));
        Self(vec![format!("login:{login}"), second])
    }

    /// An account.
    pub(crate) fn account(id: &str) -> Self {
        Self(vec![format!("account:{id}")])
    }
}

impl Throttle {
    pub(crate) fn new(db: Db, config: Lockout) -> Self {
        Self { db, config }
    }

    /// Seconds until another try is looked at, if that is not now.
    pub(crate) async fn locked(&self, what: &Counted, now: i64) -> Result<Option<u32>> {
        let rows = attempt::Entity::find()
            .filter(attempt::Column::What.is_in(&what.0))
            .all(&self.db)
            .await?;
        let until = rows.iter().map(|row| row.locked_until).max().unwrap_or(0);
        Ok((until > now).then(|| u32::try_from((until - now + 999) / 1000).unwrap_or(u32::MAX)))
    }

    /// One more was wrong.
    pub(crate) async fn wrong(&self, what: &Counted, now: i64) -> Result<()> {
        let tx = self.db.begin().await?;
        for what in &what.0 {
            let found = attempt::Entity::find_by_id(what.clone()).lock_exclusive().one(&tx).await?;
            let failures = found.filter(|row| row.last > now - FORGET).map_or(0, |row| row.failures) + 1;
            let row = attempt::ActiveModel {
                what: Set(what.clone()),
                failures: Set(failures),
                locked_until: Set(now + self.lock(failures)),
                last: Set(now),
            };
            let columns = [attempt::Column::Failures, attempt::Column::LockedUntil, attempt::Column::Last];
            let again = OnConflict::column(attempt::Column::What).update_columns(columns).to_owned();
            attempt::Entity::insert(row).on_conflict(again).exec_without_returning(&tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// One was right.
    pub(crate) async fn right(&self, what: &Counted) -> Result<()> {
        let wrong = attempt::Entity::delete_many().filter(attempt::Column::What.is_in(&what.0));
        wrong.exec(&self.db).await?;
        Ok(())
    }

    /// Removes what no longer counts.
    pub(crate) async fn tidy(&self, now: i64) -> Result<u64> {
        let old = attempt::Entity::delete_many().filter(attempt::Column::Last.lt(now - FORGET));
        Ok(old.exec(&self.db).await?.rows_affected)
    }

    /// How long so many wrong tries lock, in milliseconds.
    fn lock(&self, failures: i64) -> i64 {
        let Some(beyond) = u32::try_from(failures)
            .ok()
            .and_then(|failures| failures.checked_sub(self.config.after))
        else {
            return 0;
        };
        let factor = 1_u32.checked_shl(beyond).unwrap_or(u32::MAX);
        i64::from(self.config.base_seconds.saturating_mul(factor).min(self.config.max_seconds)) * 1000
    }
}
