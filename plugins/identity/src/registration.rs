//! What people do with links: accept an invitation, prove an address, set a new password; and the jobs of this module.

use std::sync::Arc;

use schemars::JsonSchema;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, TransactionTrait};
use serde::{Deserialize, Serialize};
use wharf_sdk::services::scheduler::Run;
use wharf_sdk::{JobContext, Jobs, Payload};

use crate::Identity;
use crate::caller::DEFAULT_TENANT;
use crate::credentials::tenant_or_default;
use crate::error::{Error, Result};
use crate::journal::Line;
use crate::links::{Made, Purpose};
use crate::random;
use crate::status::{ACTIVE, INVITED};
use crate::tables::{link, user};
use crate::text::{self, now};
use crate::users::{changed, fresh, object};

/// No more than one link in that time, in milliseconds: nobody fills somebody's mailbox.
const BETWEEN_RESETS: i64 = 60_000;

/// Whose password is to be reset.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ResetAsked {
    tenant: String,
    email: String,
}

impl Payload for ResetAsked {}

/// What somebody says who accepts an invitation.
pub(crate) struct Acceptance<'a> {
    pub(crate) token: &'a str,
    pub(crate) password: &'a str,
    pub(crate) name: &'a str,
    pub(crate) email: &'a str,
}

pub(crate) fn jobs() -> Jobs<Identity> {
    Jobs::new()
        .job_with::<ResetAsked>("reset", Identity::reset_job)
        .job("tidy", Identity::tidy_job)
}

impl Identity {
    /// Asks for the mail with the link. The account is looked for later, by a job, so that neither answer nor time tells
    /// whether there is one.
    pub(crate) async fn request_reset(&self, tenant: &str, email: &str) -> Result<()> {
        let Ok(email) = text::email(email) else {
            // As for an address that nobody has.
            return Ok(());
        };
        let asked = ResetAsked {
            tenant: tenant_or_default(tenant).to_owned(),
            email,
        };
        let key = random::hash(&format!("{}\0{}", asked.tenant, asked.email));
        self.jobs
            .enqueue_alone(Run::of("reset").with(&asked)?.unless_there_is(&key))
            .await?;
        Ok(())
    }

    pub(crate) async fn reset_password(&self, token: &str, password: &str) -> Result<()> {
        let (_, row) = self.links.look(&[Purpose::Reset], token).await?;
        let user = self.with_password(self.owner(&row).await?, password).await?;
        let tx = self.db.begin().await?;
        self.links.claim(&tx, &row).await?;
        let mut user = user;
        // The link came by mail to that address.
        user.email_verified = user.email_verified || row.email == user.email;
        let user = self.new_password(&tx, user, "identity.user.reset_password", None).await?;
        tx.commit().await?;
        self.unlock(&user).await
    }

    pub(crate) async fn verify_email(&self, token: &str) -> Result<()> {
        let (_, row) = self.links.look(&[Purpose::Verify], token).await?;
        let mut user = self.owner(&row).await?;
        if row.email != user.email {
            return Err(Error::link());
        }
        let tx = self.db.begin().await?;
        self.links.claim(&tx, &row).await?;
        user.email_verified = true;
        self.store(&tx, &mut user).await?;
        let line = Line::of("identity.user.verify_email", object(&user), &user.tenant).changed("email_verified", "false", "true");
        self.journal.record(&tx, line).await?;
        self.journal.account(&tx, &changed(&user)).await?;
        tx.commit().await?;
        Ok(())
    }

    pub(crate) async fn accept_invitation(&self, accepted: Acceptance<'_>) -> Result<user::Model> {
        let (purpose, row) = self.links.look(&[Purpose::Invite, Purpose::Administrator], accepted.token).await?;
        match purpose {
            Purpose::Administrator => self.become_administrator(&row, accepted).await,
            _ => self.become_active(&row, accepted).await,
        }
    }

    async fn become_active(&self, row: &link::Model, accepted: Acceptance<'_>) -> Result<user::Model> {
        let mut user = self.owner(row).await?;
        if user.status != INVITED || row.email != user.email {
            return Err(Error::link());
        }
        if !accepted.name.is_empty() {
            user.name = text::name(accepted.name)?;
        }
        let mut user = self.with_password(user, accepted.password).await?;
        ACTIVE.clone_into(&mut user.status);
        user.email_verified = true;
        let tx = self.db.begin().await?;
        self.links.claim(&tx, row).await?;
        let user = self.new_password(&tx, user, "identity.user.accept_invitation", None).await?;
        tx.commit().await?;
        Ok(user)
    }

    /// The role is given first, to an id that nobody has yet: when anything fails afterwards it is nobody's.
    async fn become_administrator(&self, row: &link::Model, accepted: Acceptance<'_>) -> Result<user::Model> {
        let email = text::email(row.email.as_deref().unwrap_or(accepted.email))?;
        let there = self.user_by_email(DEFAULT_TENANT, &email).await?;
        if there.is_some() {
            return Err(Error::Exists(format!(
                "there is an account with the address {email} already; give it the role with `wharf authz grant`"
            )));
        }
        let user = fresh(DEFAULT_TENANT, Some(email), text::name(accepted.name)?, ACTIVE);
        let user = self.with_password(user, accepted.password).await?;
        self.rules.make_administrator(&user.id).await?;
        let made = self.insert_administrator(row, &user).await;
        if made.is_err()
            && let Err(error) = self.rules.unmake_administrator(&user.id).await
        {
            tracing::warn!(user.id, %error, "a role was given to an account that was not made, and could not be taken back");
        }
        made.map(|()| user)
    }

    async fn insert_administrator(&self, row: &link::Model, user: &user::Model) -> Result<()> {
        let tx = self.db.begin().await?;
        self.links.claim(&tx, row).await?;
        self.insert_user(&tx, user, "identity.administrator.accept").await?;
        Ok(tx.commit().await?)
    }

    /// A link with which somebody becomes administrator. The operator hands it over: no mail is sent.
    pub(crate) async fn invite_administrator(&self, email: &str) -> Result<Made> {
        let email = match email {
            "" => None,
            email => Some(text::email(email)?),
        };
        let tx = self.db.begin().await?;
        let made = self.links.make(&tx, Purpose::Administrator, None, email.as_deref()).await?;
        let line = Line::of("identity.administrator.invite", "role:admin", "").changed("email", "", email.as_deref().unwrap_or_default());
        self.journal.record(&tx, line).await?;
        tx.commit().await?;
        Ok(made)
    }

    async fn owner(&self, row: &link::Model) -> Result<user::Model> {
        let id = row.account.as_deref().ok_or_else(Error::link)?;
        user::Entity::find_by_id(id).one(&self.db).await?.ok_or_else(Error::link)
    }

    async fn reset_job(self: Arc<Self>, asked: ResetAsked, _: JobContext) -> Result<(), wharf_sdk::Error> {
        let tx = self.db.begin().await?;
        let found = user::Entity::find()
            .filter(user::Column::Tenant.eq(asked.tenant))
            .filter(user::Column::Email.eq(asked.email));
        let Some(user) = found.one(&tx).await?.filter(|user| user.status == ACTIVE) else {
            return Ok(());
        };
        let last = self.links.made_at(&tx, Purpose::Reset, &user.id).await?;
        if last.is_some_and(|last| last > now() - BETWEEN_RESETS) {
            return Ok(());
        }
        self.links.mail(&tx, Purpose::Reset, &user).await?;
        self.journal
            .record(&tx, Line::of("identity.user.request_reset", object(&user), &user.tenant))
            .await?;
        tx.commit().await?;
        Ok(())
    }

    async fn tidy_job(self: Arc<Self>, _: JobContext) -> Result<(), wharf_sdk::Error> {
        let (links, tries) = (self.links.tidy().await?, self.throttle.tidy(now()).await?);
        tracing::info!(links, tries, "what is past was removed");
        Ok(())
    }
}
