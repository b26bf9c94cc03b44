//! What happens without a request: looking for changes of other nodes, tending keys, forgetting, and accounts that end.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use wharf_sdk::{Error, Event, EventContext, Handlers, JobContext, Jobs};

use crate::failure::Failure;
use crate::revocations::Revoked;
use crate::sessions::Which;
use crate::tables::{api_key, code, login, refresh_token, request, revocation, session};
use crate::{Auth, Inner, now_ms};

/// How often changes of other nodes are looked for.
const LOOK: Duration = Duration::from_millis(300);
/// What has ended stays this long, for whoever wonders what happened.
const KEEP_MS: i64 = 30 * 24 * 60 * 60 * 1000;

/// An account came, changed or went: what the module `identity` says.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AccountChanged {
    /// Id of the account.
    pub id: String,
    /// `user` or `service`.
    pub kind: String,
    /// Its tenant.
    pub tenant: String,
    /// `active`, `invited` or `suspended`.
    pub status: String,
    /// It is gone.
    #[serde(default)]
    pub deleted: bool,
}

impl Event for AccountChanged {
    const TYPE: &'static str = "identity.account.changed.v1";

    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

pub(crate) fn handlers() -> Handlers<Auth> {
    Handlers::new().on::<AccountChanged>("accounts", Auth::account_changed)
}

pub(crate) fn jobs() -> Jobs<Auth> {
    Jobs::new().job("tend", Auth::tend)
}

/// Looks for changes until the instance ends.
pub(crate) fn follow(inner: &Arc<Inner>) {
    let looking = Arc::clone(inner);
    inner.ctx.spawn(async move {
        let mut failing = false;
        loop {
            looking.ctx.sleep(LOOK).await;
            match looking.look().await {
                Ok(()) => failing = false,
                // Once, not three times a second.
                Err(_) if failing => {}
                Err(failure) => {
                    failing = true;
                    failure.log();
                }
            }
        }
    });
}

impl Auth {
    /// Somebody who may not log in any more is logged out, everywhere.
    async fn account_changed(self: Arc<Self>, changed: AccountChanged, ctx: EventContext) -> Result<(), Error> {
        if changed.status == "active" && !changed.deleted {
            return Ok(());
        }
        let tx = ctx.tx()?;
        self.inner.end_sessions_in(&tx, &Which::of_account(&changed.id)).await?;
        let keys = api_key::Entity::find()
            .filter(api_key::Column::Account.eq(&changed.id))
            .filter(api_key::Column::RevokedAt.is_null())
            .all(&tx)
            .await?;
        let subject = Revoked::Subject(format!("{}:{}", changed.kind, changed.id));
        let revoked = keys.into_iter().map(|key| Revoked::ApiKey(key.id)).chain([subject]);
        self.inner.revoke(&tx, revoked).await?;
        // The host commits once this has returned; the next look sees it.
        Ok(())
    }

    async fn tend(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        self.inner.tend_keys().await?;
        self.inner.forget().await?;
        Ok(())
    }
}

impl Inner {
    /// Deletes what counts no more.
    async fn forget(&self) -> Result<(), Failure> {
        let now = now_ms();
        revocation::Entity::delete_many()
            .filter(revocation::Column::Forget.lte(now))
            .exec(&self.db)
            .await?;
        request::Entity::delete_many()
            .filter(request::Column::ExpiresAt.lte(now))
            .exec(&self.db)
            .await?;
        login::Entity::delete_many()
            .filter(login::Column::ExpiresAt.lte(now))
            .exec(&self.db)
            .await?;
        // A code that was used is kept as long as what came of it may be ended by a second use.
        let hour = 60 * 60 * 1000;
        code::Entity::delete_many()
            .filter(code::Column::ExpiresAt.lte(now - hour))
            .exec(&self.db)
            .await?;
        refresh_token::Entity::delete_many()
            .filter(refresh_token::Column::ExpiresAt.lte(now))
            .exec(&self.db)
            .await?;
        session::Entity::delete_many()
            .filter(session::Column::ExpiresAt.lte(now - KEEP_MS))
            .exec(&self.db)
            .await?;
        session::Entity::delete_many()
            .filter(session::Column::RevokedAt.lte(now - KEEP_MS))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}
