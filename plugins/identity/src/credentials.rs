//! What `auth` asks: whether a secret belongs to an account, and what is known of one.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, TransactionTrait};

use crate::Identity;
use crate::caller::DEFAULT_TENANT;
use crate::error::{Error, Result};
use crate::journal::Line;
use crate::random;
use crate::status::{ACTIVE, INVITED};
use crate::tables::{external, service, tenant, user};
use crate::text::{self, now};
use crate::throttle::Counted;
use crate::users::changed;

/// What a secret turned out to be.
pub(crate) enum Checked {
    /// The right one.
    Ok(Account),
    /// A wrong one, or there is nobody of that name.
    Wrong,
    /// The right one, of somebody who may not log in.
    NotActive,
    /// Not looked at; seconds until it would be.
    Locked(u32),
}

/// A person's or a program's account.
pub(crate) enum Account {
    User(user::Model),
    Service(service::Model),
}

/// Somebody whom another identity provider vouches for.
pub(crate) struct Vouched {
    pub(crate) tenant: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) email: String,
    pub(crate) email_verified: bool,
    pub(crate) name: String,
    pub(crate) link_by_email: bool,
}

impl Identity {
    /// Checks the password of a login. Whether there is such an account shows neither in the answer nor in its time.
    pub(crate) async fn check_password(&self, tenant: &str, login: &str, password: &str) -> Result<Checked> {
        let tenant = if tenant.is_empty() { DEFAULT_TENANT } else { tenant };
        let login = login.trim().to_lowercase();
        // Before the look at the counters: at most as many tries slip past a lock as hashes are computed at a time.
        let turn = self.passwords.turn().await?;
        let user = self.user_by_email(tenant, &login).await?;
        let counted = Counted::login(tenant, &login, user.as_ref().map(|user| user.id.as_str()));
        if let Some(seconds) = self.throttle.locked(&counted, now()).await? {
            return Ok(Checked::Locked(seconds));
        }
        let kept = user.as_ref().and_then(|user| user.password.as_deref());
        let right = turn.verify(password, kept).await?;
        drop(turn);
        let Some(user) = user.filter(|_| right) else {
            self.throttle.wrong(&counted, now()).await?;
            return Ok(Checked::Wrong);
        };
        self.throttle.right(&counted).await?;
        self.renew_hash(&user, password).await?;
        Ok(self.admitted(user))
    }

    /// Checks the password of an account that somebody is logged in to.
    pub(crate) async fn check_own_password(&self, user: &user::Model, password: &str) -> Result<()> {
        let turn = self.passwords.turn().await?;
        let counted = Counted::account(&user.id);
        if let Some(seconds) = self.throttle.locked(&counted, now()).await? {
            return Err(Error::Locked(seconds));
        }
        if turn.verify(password, user.password.as_deref()).await? {
            return self.throttle.right(&counted).await;
        }
        self.throttle.wrong(&counted, now()).await?;
        Err(Error::Denied("the old password is not that one".to_owned()))
    }

    /// Checks the secret of a service account. Nobody guesses 256 random bits, so wrong tries are not counted: whoever knows an
    /// id could lock a program out.
    pub(crate) async fn check_client_secret(&self, id: &str, secret: &str) -> Result<Checked> {
        let found = service::Entity::find_by_id(id).one(&self.db).await?;
        let kept = found.as_ref().map_or("", |service| service.secret_hash.as_str());
        let right = random::is(secret, kept);
        Ok(match found.filter(|_| right) {
            None => Checked::Wrong,
            Some(service) if service.status == ACTIVE => Checked::Ok(Account::Service(service)),
            Some(_) => Checked::NotActive,
        })
    }

    /// The account of somebody whom another identity provider vouches for; made when there is none.
    pub(crate) async fn resolve_external(&self, vouched: Vouched) -> Result<Checked> {
        if vouched.issuer.is_empty() || vouched.subject.is_empty() {
            return Err(Error::Invalid("found an empty issuer or subject, expected both".to_owned()));
        }
        let tx = self.db.begin().await?;
        let known = external::Entity::find_by_id((vouched.issuer.clone(), vouched.subject.clone()))
            .one(&tx)
            .await?;
        if let Some(known) = known {
            let user = user::Entity::find_by_id(known.account).one(&tx).await?;
            let user = user.ok_or(Error::NotFound("account"))?;
            return Ok(match user.tenant == tenant_or_default(&vouched.tenant) {
                true => self.admitted(user),
                false => Checked::NotActive,
            });
        }
        let user = self.link_or_make(&tx, &vouched).await?;
        let row = external::ActiveModel {
            issuer: Set(vouched.issuer.clone()),
            subject: Set(vouched.subject),
            account: Set(user.id.clone()),
            created: Set(now()),
        };
        external::Entity::insert(row).exec_without_returning(&tx).await?;
        self.journal.account(&tx, &changed(&user)).await?;
        let line = Line::of("identity.external.link", format!("user:{}", user.id), &user.tenant).changed("issuer", "", &vouched.issuer);
        self.journal.record(&tx, line).await?;
        tx.commit().await?;
        Ok(self.admitted(user))
    }

    /// An account that a verified address leads to, where that is allowed, or a new one.
    async fn link_or_make(&self, tx: &wharf_sdk::services::database::Tx, vouched: &Vouched) -> Result<user::Model> {
        let tenant = tenant_or_default(&vouched.tenant);
        if tenant::Entity::find_by_id(tenant).one(tx).await?.is_none() {
            return Err(Error::NotFound("tenant"));
        }
        let email = text::email(&vouched.email).ok();
        let same = match &email {
            Some(email) => {
                let same = user::Entity::find()
                    .filter(user::Column::Tenant.eq(tenant))
                    .filter(user::Column::Email.eq(email.as_str()));
                same.one(tx).await?
            }
            None => None,
        };
        let taken = same.is_some();
        // Somebody may have made an account with an address that is not theirs, and wait for its owner: only one whose address
        // was proven, or that nobody has a password of, is taken.
        let safe = |user: &user::Model| user.email_verified || (user.status == INVITED && user.password.is_none());
        if let Some(mut user) = same.filter(|user| vouched.link_by_email && vouched.email_verified && safe(user)) {
            if user.status == INVITED {
                ACTIVE.clone_into(&mut user.status);
                user.email_verified = true;
                self.store(tx, &mut user).await?;
            }
            return Ok(user);
        }
        let now = now();
        let user = user::Model {
            id: random::id(),
            tenant: tenant.to_owned(),
            email_verified: vouched.email_verified && email.is_some() && !taken,
            // An address belongs to one account of the tenant: the new one has none then.
            email: email.filter(|_| !taken),
            name: text::name(&vouched.name).unwrap_or_default(),
            status: ACTIVE.to_owned(),
            password: None,
            created: now,
            updated: now,
            version: 1,
        };
        user::Entity::insert(user::ActiveModel::from(user.clone()))
            .exec_without_returning(tx)
            .await?;
        Ok(user)
    }

    /// What is known of an account.
    pub(crate) async fn account(&self, id: &str) -> Result<Account> {
        if let Some(user) = user::Entity::find_by_id(id).one(&self.db).await? {
            return Ok(Account::User(user));
        }
        let service = service::Entity::find_by_id(id).one(&self.db).await?;
        service.map(Account::Service).ok_or(Error::NotFound("account"))
    }

    pub(crate) async fn user_by_email(&self, tenant: &str, email: &str) -> Result<Option<user::Model>> {
        let found = user::Entity::find()
            .filter(user::Column::Tenant.eq(tenant))
            .filter(user::Column::Email.eq(email));
        Ok(found.one(&self.db).await?)
    }

    fn admitted(&self, user: user::Model) -> Checked {
        let verified = user.email_verified || !self.config.require_verified_email;
        match user.status == ACTIVE && verified {
            true => Checked::Ok(Account::User(user)),
            false => Checked::NotActive,
        }
    }

    /// A hash that was made with other parameters is made anew while the password is at hand.
    async fn renew_hash(&self, user: &user::Model, password: &str) -> Result<()> {
        let Some(kept) = user.password.as_deref().filter(|kept| self.passwords.is_old(kept)) else {
            return Ok(());
        };
        let newer = self.passwords.hash(password).await?;
        user::Entity::update_many()
            .col_expr(user::Column::Password, Expr::value(newer))
            .filter(user::Column::Id.eq(user.id.as_str()))
            .filter(user::Column::Password.eq(kept))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

pub(crate) fn tenant_or_default(tenant: &str) -> &str {
    if tenant.is_empty() { DEFAULT_TENANT } else { tenant }
}
