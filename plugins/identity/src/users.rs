//! Accounts of people.

use sea_orm::sea_query::{Expr, Func, LikeExpr};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_proto::pages;
use wharf_sdk::services::database::{DbErrExt as _, Tx};

use crate::Identity;
use crate::caller::Caller;
use crate::credentials::tenant_or_default;
use crate::error::{Error, Result};
use crate::journal::{AccountChanged, Line, MembershipChanged};
use crate::links::Purpose;
use crate::random;
use crate::status::{self, ACTIVE, INVITED};
use crate::tables::{external, member, tenant, user};
use crate::text::{self, now};
use crate::throttle::Counted;

pub(crate) const READ: &str = "identity.user.read";
pub(crate) const WRITE: &str = "identity.user.write";

/// An account that is to be made.
pub(crate) struct NewUser<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) email: &'a str,
    pub(crate) name: &'a str,
    /// Empty: none.
    pub(crate) password: &'a str,
    pub(crate) email_verified: bool,
}

/// Which accounts are listed.
pub(crate) struct Which<'a> {
    pub(crate) tenant: &'a str,
    pub(crate) after: &'a str,
    pub(crate) size: u32,
    pub(crate) status: &'a str,
    pub(crate) search: &'a str,
}

/// What is to be another one.
#[derive(Default)]
pub(crate) struct UserChange {
    pub(crate) version: u64,
    pub(crate) name: Option<String>,
    pub(crate) email: Option<String>,
    pub(crate) email_verified: Option<bool>,
}

impl Identity {
    pub(crate) async fn create_user(&self, caller: &Caller, new: NewUser<'_>) -> Result<user::Model> {
        let tenant = self.tenant_of(caller, new.tenant, WRITE).await?;
        let (email, name) = (text::email(new.email)?, text::name(new.name)?);
        let password = match new.password {
            "" => None,
            password => {
                self.passwords.check(password, &[&email, &name])?;
                Some(self.passwords.hash(password).await?)
            }
        };
        let mut user = fresh(&tenant, Some(email), name, ACTIVE);
        user.password = password;
        user.email_verified = new.email_verified;
        let tx = self.db.begin().await?;
        self.insert_user(&tx, &user, "identity.user.create").await?;
        if !user.email_verified {
            self.links.mail(&tx, Purpose::Verify, &user).await?;
        }
        tx.commit().await?;
        Ok(user)
    }

    /// Makes an account that waits for its owner, or mails another link to one that waits already.
    pub(crate) async fn invite_user(&self, caller: &Caller, tenant: &str, email: &str, name: &str) -> Result<user::Model> {
        let tenant = self.tenant_of(caller, tenant, WRITE).await?;
        let (email, name) = (text::email(email)?, text::name(name)?);
        let tx = self.db.begin().await?;
        let there = user::Entity::find()
            .filter(user::Column::Tenant.eq(tenant.as_str()))
            .filter(user::Column::Email.eq(email.as_str()));
        let user = match there.one(&tx).await? {
            Some(user) if user.status == INVITED => {
                let line = Line::of("identity.user.invite", object(&user), &tenant);
                self.journal.record(&tx, line).await?;
                user
            }
            Some(_) => return Err(taken(&email)),
            None => {
                let user = fresh(&tenant, Some(email), name, INVITED);
                self.insert_user(&tx, &user, "identity.user.invite").await?;
                user
            }
        };
        self.links.mail(&tx, Purpose::Invite, &user).await?;
        tx.commit().await?;
        Ok(user)
    }

    pub(crate) async fn user(&self, caller: &Caller, id: &str, permission: &str) -> Result<user::Model> {
        let found = user::Entity::find_by_id(id).one(&self.db).await?.ok_or(Error::NotFound("user"))?;
        self.sees(caller, &found.tenant, permission, "user").await?;
        Ok(found)
    }

    pub(crate) async fn find_user(&self, caller: &Caller, tenant: &str, email: &str) -> Result<user::Model> {
        let tenant = self.tenant_of(caller, tenant, READ).await?;
        let found = self.user_by_email(&tenant, &text::email(email)?).await?;
        found.ok_or(Error::NotFound("user"))
    }

    /// Accounts, and the token of the next page.
    pub(crate) async fn list_users(&self, caller: &Caller, which: Which<'_>) -> Result<(Vec<user::Model>, String)> {
        let tenant = self.tenant_of(caller, which.tenant, READ).await?;
        let size = pages::size(which.size);
        let mut found = user::Entity::find()
            .filter(user::Column::Tenant.eq(tenant))
            .filter(user::Column::Id.gt(which.after));
        if !which.status.is_empty() {
            found = found.filter(user::Column::Status.eq(which.status));
        }
        if !which.search.is_empty() {
            found = found.filter(contains(which.search));
        }
        let mut rows = found.order_by_asc(user::Column::Id).limit(size as u64 + 1).all(&self.db).await?;
        let next = pages::cut(&mut rows, size, |row| row.id.clone());
        Ok((rows, next))
    }

    pub(crate) async fn update_user(&self, caller: &Caller, id: &str, change: UserChange) -> Result<user::Model> {
        let mut user = self.user(caller, id, WRITE).await?;
        if change.version != 0 && i64::try_from(change.version) != Ok(user.version) {
            return Err(Error::Stale {
                found: user.version,
                expected: change.version,
            });
        }
        let before = user.clone();
        if let Some(name) = &change.name {
            user.name = text::name(name)?;
        }
        if let Some(email) = &change.email {
            let email = text::email(email)?;
            user.email_verified = user.email_verified && user.email.as_deref() == Some(&email);
            user.email = Some(email);
        }
        user.email_verified = change.email_verified.unwrap_or(user.email_verified);
        let tx = self.db.begin().await?;
        self.store(&tx, &mut user).await?;
        if before.email != user.email {
            // Links that went to the address before must not lead in any more.
            self.links.forget(&tx, &user.id).await?;
            if !user.email_verified {
                let purpose = if user.status == INVITED { Purpose::Invite } else { Purpose::Verify };
                self.links.mail(&tx, purpose, &user).await?;
            }
        }
        let line = Line::of("identity.user.update", object(&user), &user.tenant)
            .changed("name", &before.name, &user.name)
            .changed(
                "email",
                before.email.as_deref().unwrap_or_default(),
                user.email.as_deref().unwrap_or_default(),
            )
            .changed(
                "email_verified",
                &before.email_verified.to_string(),
                &user.email_verified.to_string(),
            );
        self.journal.record(&tx, line).await?;
        self.journal.account(&tx, &changed(&user)).await?;
        tx.commit().await?;
        Ok(user)
    }

    pub(crate) async fn set_user_status(&self, caller: &Caller, id: &str, status: &str) -> Result<user::Model> {
        let status = status::settable(status)?;
        let mut user = self.user(caller, id, WRITE).await?;
        if user.status == INVITED && status == ACTIVE {
            return Err(Error::State("this account waits for its owner to accept the invitation".to_owned()));
        }
        let line = Line::of("identity.user.set_status", object(&user), &user.tenant).changed("status", &user.status, status);
        status.clone_into(&mut user.status);
        let tx = self.db.begin().await?;
        self.store(&tx, &mut user).await?;
        self.journal.record(&tx, line).await?;
        self.journal.account(&tx, &changed(&user)).await?;
        tx.commit().await?;
        Ok(user)
    }

    pub(crate) async fn delete_user(&self, caller: &Caller, id: &str) -> Result<()> {
        let user = self.user(caller, id, WRITE).await?;
        let tx = self.db.begin().await?;
        self.leave_all_groups(&tx, &object(&user), &user.tenant).await?;
        self.links.forget(&tx, &user.id).await?;
        external::Entity::delete_many()
            .filter(external::Column::Account.eq(user.id.as_str()))
            .exec(&tx)
            .await?;
        user::Entity::delete_by_id(user.id.clone()).exec(&tx).await?;
        let line =
            Line::of("identity.user.delete", object(&user), &user.tenant).changed("email", user.email.as_deref().unwrap_or_default(), "");
        self.journal.record(&tx, line).await?;
        let gone = AccountChanged {
            deleted: true,
            ..changed(&user)
        };
        self.journal.account(&tx, &gone).await?;
        tx.commit().await?;
        Ok(())
    }

    /// The caller's own account.
    pub(crate) async fn me(&self, caller: &Caller) -> Result<user::Model> {
        let id = caller.user().ok_or(Error::NotFound("user"))?;
        let found = user::Entity::find_by_id(id).one(&self.db).await?;
        found.ok_or(Error::NotFound("user"))
    }

    pub(crate) async fn set_own_password(&self, caller: &Caller, old: &str, new: &str) -> Result<()> {
        let user = self.me(caller).await?;
        if user.status != ACTIVE {
            return Err(Error::State("this account is not active".to_owned()));
        }
        self.check_own_password(&user, old).await?;
        let user = self.with_password(user, new).await?;
        let tx = self.db.begin().await?;
        self.new_password(&tx, user, "identity.user.set_password", caller.session.as_deref())
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Checks and hashes a password for an account; nothing is written yet.
    pub(crate) async fn with_password(&self, mut user: user::Model, password: &str) -> Result<user::Model> {
        self.passwords
            .check(password, &[user.email.as_deref().unwrap_or_default(), &user.name])?;
        user.password = Some(self.passwords.hash(password).await?);
        Ok(user)
    }

    /// Writes an account with its new password, and says so: its sessions end, but for the one that is to stay.
    pub(crate) async fn new_password(
        &self,
        tx: &Tx,
        mut user: user::Model,
        action: &'static str,
        stays: Option<&str>,
    ) -> Result<user::Model> {
        self.store(tx, &mut user).await?;
        self.journal.record(tx, Line::of(action, object(&user), &user.tenant)).await?;
        let told = AccountChanged {
            credentials_changed: true,
            credentials_changed_at: user.updated,
            session: stays.map(str::to_owned),
            ..changed(&user)
        };
        self.journal.account(tx, &told).await?;
        Ok(user)
    }

    pub(crate) async fn send_verification(&self, caller: &Caller) -> Result<()> {
        let user = self.me(caller).await?;
        if user.email_verified {
            return Ok(());
        }
        let tx = self.db.begin().await?;
        self.links.mail(&tx, Purpose::Verify, &user).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes what an account is now, if nobody wrote meanwhile; its version grows.
    pub(crate) async fn store(&self, tx: &Tx, user: &mut user::Model) -> Result<()> {
        let read = user.version;
        user.version += 1;
        user.updated = now();
        let written = user::Entity::update_many()
            .set(user::ActiveModel {
                id: sea_orm::ActiveValue::NotSet,
                tenant: sea_orm::ActiveValue::NotSet,
                created: sea_orm::ActiveValue::NotSet,
                email: Set(user.email.clone()),
                email_verified: Set(user.email_verified),
                name: Set(user.name.clone()),
                status: Set(user.status.clone()),
                password: Set(user.password.clone()),
                updated: Set(user.updated),
                version: Set(user.version),
            })
            .filter(user::Column::Id.eq(user.id.as_str()))
            .filter(user::Column::Version.eq(read))
            .exec(tx)
            .await
            .map_err(|error| unique(error, || taken(user.email.as_deref().unwrap_or_default())))?;
        match written.rows_affected {
            1 => Ok(()),
            _ => Err(Error::Stale {
                found: read + 1,
                expected: u64::try_from(read).unwrap_or_default(),
            }),
        }
    }

    pub(crate) async fn insert_user(&self, tx: &Tx, user: &user::Model, action: &'static str) -> Result<()> {
        if tenant::Entity::find_by_id(tenant_or_default(&user.tenant)).one(tx).await?.is_none() {
            return Err(Error::NotFound("tenant"));
        }
        user::Entity::insert(user::ActiveModel::from(user.clone()))
            .exec_without_returning(tx)
            .await
            .map_err(|error| unique(error, || taken(user.email.as_deref().unwrap_or_default())))?;
        let line = Line::of(action, object(user), &user.tenant)
            .changed("email", "", user.email.as_deref().unwrap_or_default())
            .changed("name", "", &user.name)
            .changed("status", "", &user.status);
        self.journal.record(tx, line).await?;
        self.journal.account(tx, &changed(user)).await
    }

    /// Takes somebody out of all groups.
    pub(crate) async fn leave_all_groups(&self, tx: &Tx, subject: &str, tenant: &str) -> Result<()> {
        let groups = member::Entity::find().filter(member::Column::Member.eq(subject)).all(tx).await?;
        member::Entity::delete_many()
            .filter(member::Column::Member.eq(subject))
            .exec(tx)
            .await?;
        for row in groups {
            let left = MembershipChanged {
                group: row.team,
                member: row.member,
                tenant: tenant.to_owned(),
                present: false,
            };
            self.journal.membership(tx, &left).await?;
        }
        Ok(())
    }

    /// Forgets wrong tries: somebody proved otherwise who they are.
    pub(crate) async fn unlock(&self, user: &user::Model) -> Result<()> {
        let login = user.email.as_deref().unwrap_or_default();
        self.throttle.right(&Counted::login(&user.tenant, login, Some(&user.id))).await
    }
}

/// An account that nothing happened to yet.
pub(crate) fn fresh(tenant: &str, email: Option<String>, name: String, status: &str) -> user::Model {
    let now = now();
    user::Model {
        id: random::id(),
        tenant: tenant.to_owned(),
        email,
        email_verified: false,
        name,
        status: status.to_owned(),
        password: None,
        created: now,
        updated: now,
        version: 1,
    }
}

/// What an event says of an account.
pub(crate) fn changed(user: &user::Model) -> AccountChanged {
    AccountChanged {
        id: user.id.clone(),
        kind: "user".to_owned(),
        tenant: user.tenant.clone(),
        status: user.status.clone(),
        deleted: false,
        credentials_changed: false,
        credentials_changed_at: 0,
        session: None,
    }
}

pub(crate) fn object(user: &user::Model) -> String {
    format!("user:{}", user.id)
}

/// An error that says that there is one already, when that is what the database says.
pub(crate) fn unique(error: sea_orm::DbErr, exists: impl FnOnce() -> Error) -> Error {
    match error.is_unique() {
        true => exists(),
        false => error.into(),
    }
}

fn taken(email: &str) -> Error {
    Error::Exists(format!("the tenant has an account with the address {email} already"))
}

/// Whose address or name contains a text, in whatever case.
fn contains(text: &str) -> Condition {
    let mut pattern = String::from("%");
    for c in text.to_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    let like = || LikeExpr::new(pattern.clone()).escape('\\');
    let name = Expr::expr(Func::lower(Expr::col(user::Column::Name)));
    Condition::any().add(user::Column::Email.like(like())).add(name.like(like()))
}
