//! Sessions: opened by a login, kept alive by refresh tokens that are good once, ended by logging out.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_proto::identity::v1::Account;
use wharf_proto::pages;
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;

use crate::claims::Bearer;
use crate::config::millis;
use crate::failure::Failure;
use crate::grpc::Page;
use crate::revocations::Revoked;
use crate::secret::{Secret, digest};
use crate::tables::{refresh_token, session};
use crate::{Inner, new_id, now_ms};

/// Where a request came from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) address: String,
    pub(crate) user_agent: String,
}

/// A session to be opened.
pub(crate) struct Opening<'a> {
    pub(crate) account: &'a Account,
    pub(crate) client: &'a str,
    pub(crate) scope: Option<String>,
    /// `password`, or `oidc:` and the provider.
    pub(crate) method: &'a str,
    pub(crate) authenticated_at: i64,
}

/// What whoever logged in gets.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: Option<Secret>,
    pub(crate) expires_in: u64,
    pub(crate) scope: Option<String>,
    pub(crate) id_token: Option<String>,
    pub(crate) session: Option<String>,
}

/// Which sessions somebody wants to see, or to end.
#[derive(Clone, Debug, Default)]
pub(crate) struct Which {
    pub(crate) tenant: Option<String>,
    pub(crate) id: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) client: Option<String>,
    /// Not this one.
    pub(crate) except: Option<String>,
    /// Only those whose subject proved who it is until then, in milliseconds.
    pub(crate) proved_until: Option<i64>,
}

const USED_AGAIN: &str = "the refresh token was used before: the session it belonged to has been ended, log in again";
const UNKNOWN: &str = "the refresh token is unknown, has expired or was revoked: log in again";

impl Inner {
    /// Opens a session in a transaction of its own.
    pub(crate) async fn open_session(&self, opening: &Opening<'_>, origin: &Origin) -> Result<Tokens, Failure> {
        let tx = self.db.begin().await?;
        let tokens = self.open_session_in(&tx, opening, origin).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    /// Opens a session.
    pub(crate) async fn open_session_in(&self, tx: &Tx, opening: &Opening<'_>, origin: &Origin) -> Result<Tokens, Failure> {
        let (now, id) = (now_ms(), new_id());
        let account = opening.account;
        let row = session::ActiveModel {
            id: Set(id.clone()),
            account: Set(account.id.clone()),
            kind: Set(account.kind.clone()),
            tenant: Set(account.tenant.clone()),
            name: Set(account.name.clone()),
            client: Set(opening.client.to_owned()),
            scope: Set(opening.scope.clone()),
            method: Set(opening.method.to_owned()),
            authenticated_at: Set(opening.authenticated_at),
            created_at: Set(now),
            used_at: Set(now),
            expires_at: Set(now + millis(self.config.session_seconds)),
            address: Set(origin.address.clone()),
            user_agent: Set(origin.user_agent.clone()),
            revoked_at: Set(None),
        };
        let session = session::Entity::insert(row).exec_with_returning(tx).await?;
        let opened = Entry::of("auth.session.open")
            .on(format!("session/{id}"))
            .in_tenant(&account.tenant);
        let opened = opened
            .added("account", &account.id)
            .added("method", opening.method)
            .added("client", opening.client);
        self.record(tx, opened).await?;
        self.give_tokens(tx, &session, account, opening.scope.clone()).await
    }

    /// New tokens for a refresh token, which is good no more from then on. One that comes a second time ends its session: either
    /// it was stolen, or whoever has the other was.
    pub(crate) async fn refresh(&self, token: &str, client: &str, scope: Option<&str>, origin: &Origin) -> Result<Tokens, Failure> {
        let hash = digest(token);
        let Some(row) = refresh_token::Entity::find_by_id(&hash).one(&self.db).await? else {
            return Err(Failure::Grant(UNKNOWN));
        };
        let session = session::Entity::find_by_id(&row.session).one(&self.db).await?;
        let session = session.filter(|session| session.client == client).ok_or(Failure::Grant(UNKNOWN))?;
        let now = now_ms();
        if row.used_at.is_some() {
            return self.stolen(&session).await;
        }
        if row.expires_at <= now || session.expires_at <= now || session.revoked_at.is_some() {
            return Err(Failure::Grant(UNKNOWN));
        }
        let scope = narrowed(&session, scope)?;
        // Asked before the transaction: it may take a while, and nobody should wait for it.
        let Some(account) = self.directory.active(&session.account).await? else {
            self.end_sessions(&Which::one(&session.id)).await?;
            return Err(Failure::Grant("the account is not active any more"));
        };
        let tx = self.db.begin().await?;
        if !use_once(&tx, &hash, now).await? {
            drop(tx);
            return self.stolen(&session).await;
        }
        if !touch(&tx, &session.id, now, origin).await? {
            return Err(Failure::Grant(UNKNOWN));
        }
        let tokens = self.give_tokens(&tx, &session, &account, scope).await?;
        tx.commit().await?;
        Ok(tokens)
    }

    async fn stolen(&self, session: &session::Model) -> Result<Tokens, Failure> {
        tracing::warn!(session.id = session.id, "a refresh token was used twice: its session ends");
        let entry = Entry::of("auth.session.refresh")
            .on(format!("session/{}", session.id))
            .in_tenant(&session.tenant);
        self.record_refusal(entry.denied("a refresh token was used twice")).await;
        self.end_sessions(&Which::one(&session.id)).await?;
        Err(Failure::Grant(USED_AGAIN))
    }

    async fn give_tokens(&self, tx: &Tx, session: &session::Model, account: &Account, scope: Option<String>) -> Result<Tokens, Failure> {
        let (now, refresh) = (now_ms(), Secret::random()?);
        let row = refresh_token::ActiveModel {
            hash: Set(refresh.digest()),
            session: Set(session.id.clone()),
            made_at: Set(now),
            expires_at: Set(session.expires_at.min(now + millis(self.config.session_idle_seconds))),
            used_at: Set(None),
        };
        refresh_token::Entity::insert(row).exec_without_returning(tx).await?;
        let access = self.access_token(&Bearer {
            account,
            client: &session.client,
            session: Some(&session.id),
            scope: scope.as_deref(),
            authenticated_at: session.authenticated_at,
        })?;
        Ok(Tokens {
            access,
            refresh: Some(refresh),
            expires_in: self.config.access_token_seconds,
            scope,
            id_token: None,
            session: Some(session.id.clone()),
        })
    }

    /// Ends sessions, and says how many. Every node knows within a second.
    pub(crate) async fn end_sessions(&self, which: &Which) -> Result<u32, Failure> {
        let tx = self.db.begin().await?;
        let ended = self.end_sessions_in(&tx, which).await?;
        tx.commit().await?;
        self.look().await?;
        Ok(ended)
    }

    /// The same in a transaction; call [`Inner::look`] after its commit.
    pub(crate) async fn end_sessions_in(&self, tx: &Tx, which: &Which) -> Result<u32, Failure> {
        let now = now_ms();
        let ids: Vec<String> = alive(which, now)
            .select_only()
            .column(session::Column::Id)
            .into_tuple()
            .all(tx)
            .await?;
        for some in ids.chunks(200) {
            session::Entity::update_many()
                .col_expr(session::Column::RevokedAt, Expr::value(now))
                .filter(session::Column::Id.is_in(some))
                .exec(tx)
                .await?;
            refresh_token::Entity::delete_many()
                .filter(refresh_token::Column::Session.is_in(some))
                .filter(refresh_token::Column::UsedAt.is_null())
                .exec(tx)
                .await?;
        }
        let count = u32::try_from(ids.len()).unwrap_or(u32::MAX);
        self.revoke(tx, ids.into_iter().map(Revoked::Session)).await?;
        Ok(count)
    }

    /// Sessions that live, newest first, and the token of the next page.
    pub(crate) async fn list_sessions(&self, which: &Which, page: &Page) -> Result<(Vec<session::Model>, String), Failure> {
        let mut found = alive(which, now_ms());
        if let Some(after) = &page.after {
            found = found.filter(session::Column::Id.lt(after));
        }
        let found = found.order_by_desc(session::Column::Id).limit(page.size as u64 + 1);
        let mut rows = found.all(&self.db).await?;
        let next = pages::cut(&mut rows, page.size, |row| row.id.clone());
        Ok((rows, next))
    }

    /// The session a refresh token belongs to, if it counts.
    pub(crate) async fn session_of(&self, refresh: &str) -> Result<Option<(refresh_token::Model, session::Model)>, Failure> {
        let Some(row) = refresh_token::Entity::find_by_id(digest(refresh)).one(&self.db).await? else {
            return Ok(None);
        };
        let now = now_ms();
        let session = session::Entity::find_by_id(&row.session).one(&self.db).await?;
        let counts = |session: &session::Model| {
            row.used_at.is_none() && row.expires_at > now && session.expires_at > now && session.revoked_at.is_none()
        };
        Ok(session.filter(counts).map(|session| (row, session)))
    }
}

impl Which {
    pub(crate) fn one(id: &str) -> Self {
        Self {
            id: Some(id.to_owned()),
            ..Self::default()
        }
    }

    pub(crate) fn of_account(account: &str) -> Self {
        Self {
            account: Some(account.to_owned()),
            ..Self::default()
        }
    }
}

fn alive(which: &Which, now: i64) -> sea_orm::Select<session::Entity> {
    use session::Column;
    let mut found = session::Entity::find()
        .filter(Column::RevokedAt.is_null())
        .filter(Column::ExpiresAt.gt(now));
    let wanted = [
        (Column::Tenant, &which.tenant),
        (Column::Id, &which.id),
        (Column::Account, &which.account),
        (Column::Client, &which.client),
    ];
    for (column, value) in wanted {
        if let Some(value) = value {
            found = found.filter(column.eq(value));
        }
    }
    if let Some(id) = &which.except {
        found = found.filter(Column::Id.ne(id));
    }
    match which.proved_until {
        Some(until) => found.filter(Column::AuthenticatedAt.lte(until)),
        None => found,
    }
}

/// Of any number that try at once one succeeds.
async fn use_once(tx: &Tx, hash: &str, now: i64) -> Result<bool, Failure> {
    let used = refresh_token::Entity::update_many()
        .col_expr(refresh_token::Column::UsedAt, Expr::value(now))
        .filter(refresh_token::Column::Hash.eq(hash))
        .filter(refresh_token::Column::UsedAt.is_null())
        .exec(tx)
        .await?;
    Ok(used.rows_affected == 1)
}

/// Whether it lives still, while nobody else may end it until the transaction does.
async fn touch(tx: &Tx, id: &str, now: i64, origin: &Origin) -> Result<bool, Failure> {
    let touched = session::Entity::update_many()
        .col_expr(session::Column::UsedAt, Expr::value(now))
        .col_expr(session::Column::Address, Expr::value(origin.address.clone()))
        .col_expr(session::Column::UserAgent, Expr::value(origin.user_agent.clone()))
        .filter(session::Column::Id.eq(id))
        .filter(session::Column::RevokedAt.is_null())
        .exec(tx)
        .await?;
    Ok(touched.rows_affected == 1)
}

/// A client may ask for less than its session has, for one access token.
fn narrowed(session: &session::Model, scope: Option<&str>) -> Result<Option<String>, Failure> {
    let most: Vec<String> = session.scope.iter().flat_map(|scope| scope.split(' ')).map(str::to_owned).collect();
    let asked = crate::scopes::Asked::read(scope, &most)?;
    Ok(asked.scope)
}
