//! What happens without a request: looking for changes of other nodes, tending keys, forgetting, and accounts that end.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use wharf_sdk::services::database::Tx;
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
    /// Its password or secret is another one now.
    #[serde(default)]
    pub credentials_changed: bool,
    /// When that was, in milliseconds since 1970.
    #[serde(default)]
    pub credentials_changed_at: i64,
    /// Session in which its owner changed the password.
    #[serde(default)]
    pub session: Option<String>,
}

impl Event for AccountChanged {
    const TYPE: &'static str = "identity.account.changed.v1";

    fn key(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

impl AccountChanged {
    fn subject(&self) -> String {
        format!("{}:{}", self.kind, self.id)
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
    /// Somebody who may not log in any more is logged out, everywhere; so is whoever logged in with a password that was changed.
    async fn account_changed(self: Arc<Self>, changed: AccountChanged, ctx: EventContext) -> Result<(), Error> {
        // The host commits once this has returned; the next look sees it.
        let tx = ctx.tx()?;
        if changed.deleted || changed.status != "active" {
            self.inner.shut_out(&tx, &changed).await?;
        } else if changed.credentials_changed {
            self.inner.end_what_was_proved(&tx, &changed).await?;
        }
        Ok(())
    }

    async fn tend(self: Arc<Self>, _: JobContext) -> Result<(), Error> {
        self.inner.tend_keys().await?;
        self.inner.forget().await?;
        Ok(())
    }
}

impl Inner {
    /// Ends all that an account has. Its API keys come back with it when it is made active again: hosts ask about them anew once
    /// something of their subject was revoked, and are told by the account's status. Those of one that is gone end for good.
    async fn shut_out(&self, tx: &Tx, changed: &AccountChanged) -> Result<(), Failure> {
        self.end_sessions_in(tx, &Which::of_account(&changed.id)).await?;
        self.use_codes_up(tx, &changed.id, i64::MAX).await?;
        let mut revoked = vec![Revoked::subject_now(changed.subject())];
        if changed.deleted {
            let keys = api_key::Entity::find()
                .filter(api_key::Column::Account.eq(&changed.id))
                .filter(api_key::Column::RevokedAt.is_null())
                .all(tx)
                .await?;
            api_key::Entity::update_many()
                .col_expr(api_key::Column::RevokedAt, Expr::value(now_ms()))
                .filter(api_key::Column::Account.eq(&changed.id))
                .filter(api_key::Column::RevokedAt.is_null())
                .exec(tx)
                .await?;
            revoked.extend(keys.into_iter().map(|key| Revoked::ApiKey(key.id)));
        }
        self.revoke(tx, revoked).await
    }

    /// Ends what was given for a password or secret of before. API keys stay: they were not given for it.
    async fn end_what_was_proved(&self, tx: &Tx, changed: &AccountChanged) -> Result<(), Failure> {
        let at = match changed.credentials_changed_at {
            0 => now_ms(),
            at => at,
        };
        if changed.kind == "service" {
            // It has no sessions, only tokens.
            return self.revoke(tx, [Revoked::Subject(changed.subject(), at)]).await;
        }
        let which = Which {
            except: changed.session.clone(),
            proved_until: Some(at),
            ..Which::of_account(&changed.id)
        };
        let ended = self.end_sessions_in(tx, &which).await?;
        self.use_codes_up(tx, &changed.id, at).await?;
        tracing::info!(
            account.id = changed.id,
            sessions = ended,
            "a password was changed, and sessions of before ended"
        );
        Ok(())
    }

    /// Codes that somebody who logged in until then has not exchanged yet.
    async fn use_codes_up(&self, tx: &Tx, account: &str, until: i64) -> Result<(), Failure> {
        code::Entity::update_many()
            .col_expr(code::Column::UsedAt, Expr::value(now_ms()))
            .filter(code::Column::Account.eq(account))
            .filter(code::Column::AuthenticatedAt.lte(until))
            .filter(code::Column::UsedAt.is_null())
            .exec(tx)
            .await?;
        Ok(())
    }

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
