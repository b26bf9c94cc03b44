//! What the token endpoint does: authorization_code, refresh_token, client_credentials; and its neighbours revoke and introspect.

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, TransactionTrait};
use serde::Serialize;
use wharf_sdk::audit::Entry;

use crate::claims::Bearer;
use crate::clients::Client;
use crate::failure::Failure;
use crate::revocations::Revoked;
use crate::scopes::Asked;
use crate::secret::{challenge_of, digest, same};
use crate::sessions::{Opening, Origin, Tokens, Which};
use crate::tables::code;
use crate::{Inner, now_ms};

/// Id and secret that a client showed.
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: Option<String>,
}

/// Parameters of a code that is exchanged.
pub(crate) struct Exchange<'a> {
    pub(crate) code: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) verifier: &'a str,
}

/// What there is to know of a token (RFC 7662, 2.2).
#[derive(Default, Serialize)]
pub(crate) struct Introspection {
    active: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
}

const CODE: &str = "the code is unknown, has expired, was used before or was given for something else";

impl Inner {
    /// The client that showed these credentials.
    pub(crate) async fn authenticate_client(&self, shown: &Credentials) -> Result<Client, Failure> {
        let client = self.client(&shown.id).await?;
        client
            .filter(|client| client.is_authenticated(shown.secret.as_deref()))
            .ok_or(Failure::Client)
    }

    /// authorization_code: a code becomes a session, once, for the client it was given to, with the address it was sent to, and
    /// with the secret behind its challenge (RFC 6749, 4.1.3; RFC 7636).
    pub(crate) async fn exchange(&self, client: &Client, exchange: &Exchange<'_>, origin: &Origin) -> Result<Tokens, Failure> {
        let hash = digest(exchange.code);
        let row = code::Entity::find_by_id(&hash).one(&self.db).await?.ok_or(Failure::Grant(CODE))?;
        if row.client != client.id {
            return Err(Failure::Grant(CODE));
        }
        if row.used_at.is_some() {
            return self.replayed(&row).await;
        }
        let verifier = exchange.verifier;
        let is_right = row.redirect_uri == exchange.redirect_uri
            && (43..=128).contains(&verifier.len())
            && same(&row.challenge, &challenge_of(verifier));
        if !is_right || row.expires_at <= now_ms() {
            // Whoever has the code without its secret stole it: nobody gets anything for it.
            let entry = Entry::of("auth.code.exchange").on(format!("client/{}", row.client));
            self.record_refusal(entry.denied("wrong verifier, other redirect URI, or too late"))
                .await;
            self.use_code_up(&hash).await?;
            return Err(Failure::Grant(CODE));
        }
        let account = self
            .directory
            .active(&row.account)
            .await?
            .ok_or(Failure::Grant("the account is not active any more"))?;
        let opening = Opening {
            account: &account,
            client: &client.id,
            scope: row.scope.clone(),
            method: &row.method,
            authenticated_at: row.authenticated_at,
        };
        let tx = self.db.begin().await?;
        let used = code::Entity::update_many()
            .col_expr(code::Column::UsedAt, Expr::value(now_ms()))
            .filter(code::Column::Hash.eq(&hash))
            .filter(code::Column::UsedAt.is_null())
            .exec(&tx)
            .await?;
        if used.rows_affected != 1 {
            drop(tx);
            let row = code::Entity::find_by_id(&hash).one(&self.db).await?.ok_or(Failure::Grant(CODE))?;
            return self.replayed(&row).await;
        }
        let mut tokens = self.open_session_in(&tx, &opening, origin).await?;
        code::Entity::update_many()
            .col_expr(code::Column::Session, Expr::value(tokens.session.clone()))
            .filter(code::Column::Hash.eq(&hash))
            .exec(&tx)
            .await?;
        tx.commit().await?;
        if row.openid {
            let bearer = Bearer {
                account: &account,
                client: &client.id,
                session: tokens.session.as_deref(),
                scope: None,
                authenticated_at: row.authenticated_at,
            };
            tokens.id_token = Some(self.id_token(&bearer, row.nonce.as_deref())?);
        }
        Ok(tokens)
    }

    /// A code that comes again ends what came of it (RFC 6749, 4.1.2).
    async fn replayed(&self, row: &code::Model) -> Result<Tokens, Failure> {
        let entry = Entry::of("auth.code.exchange")
            .on(format!("client/{}", row.client))
            .denied("a code was used twice");
        self.record_refusal(entry).await;
        if let Some(session) = &row.session {
            tracing::warn!(session.id = session, "a code was used twice: its session ends");
            self.end_sessions(&Which::one(session)).await?;
        }
        Err(Failure::Grant(CODE))
    }

    async fn use_code_up(&self, hash: &str) -> Result<(), Failure> {
        code::Entity::update_many()
            .col_expr(code::Column::UsedAt, Expr::value(now_ms()))
            .filter(code::Column::Hash.eq(hash))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// client_credentials: a service account in its own name. There is no session and no refresh token: it has its secret.
    pub(crate) async fn client_credentials(&self, shown: &Credentials, scope: Option<&str>) -> Result<Tokens, Failure> {
        let secret = shown.secret.as_deref().ok_or(Failure::Client)?;
        let asked = Asked::read(scope, &[])?;
        let account = match self.directory.by_client_secret(&shown.id, secret).await {
            Ok(account) => account,
            Err(failure) => return Err(self.refuse_login("", &shown.id, failure).await),
        };
        let access = self.access_token(&Bearer {
            account: &account,
            client: &account.id,
            session: None,
            scope: asked.scope.as_deref(),
            authenticated_at: now_ms(),
        })?;
        Ok(Tokens {
            access,
            refresh: None,
            expires_in: self.config.access_token_seconds,
            scope: asked.scope,
            id_token: None,
            session: None,
        })
    }

    /// Revokes a token of this client; whatever else it is, nothing happens (RFC 7009). With a refresh token its session ends, with
    /// an access token that one token.
    pub(crate) async fn revoke_token(&self, client: &str, token: &str) -> Result<(), Failure> {
        if let Some((_, session)) = self.session_of(token).await? {
            if session.client == client {
                self.end_sessions(&Which::one(&session.id)).await?;
            }
            return Ok(());
        }
        let Some(claims) = self.verify(token).filter(|claims| claims.client_id == client) else {
            return Ok(());
        };
        let tx = self.db.begin().await?;
        self.revoke(&tx, [Revoked::Token(claims.jti, claims.exp.saturating_mul(1000))])
            .await?;
        tx.commit().await?;
        self.look().await
    }

    /// What is in a token, and whether it counts.
    pub(crate) async fn introspect(&self, token: &str) -> Result<Introspection, Failure> {
        if let Some(claims) = self.verify(token) {
            return Ok(Introspection {
                active: true,
                token_type: Some("Bearer"),
                scope: claims.scope,
                client_id: Some(claims.client_id),
                username: Some(claims.name),
                sub: Some(claims.sub),
                kind: Some(claims.kind),
                tenant: Some(claims.tenant),
                sid: claims.sid,
                aud: Some(claims.aud),
                iss: Some(claims.iss),
                exp: Some(claims.exp),
                iat: Some(claims.iat),
                nbf: Some(claims.nbf),
                jti: Some(claims.jti),
            });
        }
        let Some((row, session)) = self.session_of(token).await? else {
            return Ok(Introspection::default());
        };
        Ok(Introspection {
            active: true,
            scope: session.scope,
            client_id: Some(session.client),
            username: Some(session.name),
            sub: Some(session.account),
            kind: Some(session.kind),
            tenant: Some(session.tenant),
            sid: Some(session.id),
            iss: Some(self.config.issuer()),
            exp: Some(row.expires_at / 1000),
            iat: Some(row.made_at / 1000),
            ..Introspection::default()
        })
    }
}
