//! Links that count once: made, mailed, and used up.

use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, ExprTrait, QueryFilter};
use serde::Serialize;
use wharf_sdk::MailTemplates;
use wharf_sdk::services::database::{Db, Tx};
use wharf_sdk::services::mail::Mail;

use crate::config::Config;
use crate::error::{Error, Result};
use crate::random;
use crate::tables::{link, user};
use crate::text::now;

/// An administrator's link counts that long, in minutes.
const ADMINISTRATOR_MINUTES: u32 = 15;

/// What a link is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// An invited account sets its password.
    Invite,
    /// Somebody becomes administrator.
    Administrator,
    /// Somebody proves that an address is theirs.
    Verify,
    /// Somebody sets a new password.
    Reset,
}

/// Makes links and mails them.
#[derive(Clone, Debug)]
pub(crate) struct Links {
    db: Db,
    mail: Mail,
    config: Config,
}

/// What templates are filled with.
#[derive(Serialize)]
struct Letter<'a> {
    name: &'a str,
    email: &'a str,
    url: &'a str,
    lifetime: String,
}

/// A link that was made. Its URL is a secret.
pub(crate) struct Made {
    pub(crate) url: String,
    pub(crate) expires: i64,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Invite => "invite",
            Self::Administrator => "administrator",
            Self::Verify => "verify_email",
            Self::Reset => "reset_password",
        }
    }

    /// Of the page, below the module's prefix.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Invite | Self::Administrator => "invitations",
            Self::Verify => "verifications",
            Self::Reset => "resets",
        }
    }

    /// Of the mail.
    fn template(self) -> &'static str {
        match self {
            Self::Invite | Self::Administrator => "invitation",
            Self::Verify => "verification",
            Self::Reset => "reset",
        }
    }
}

impl Links {
    pub(crate) fn new(db: Db, mail: Mail, config: Config) -> Self {
        Self { db, mail, config }
    }

    /// Makes one. Those made before for the same account and purpose no longer count.
    pub(crate) async fn make(&self, tx: &Tx, purpose: Purpose, account: Option<&str>, email: Option<&str>) -> Result<Made> {
        if let Some(account) = account {
            let before = link::Entity::delete_many()
                .filter(link::Column::Account.eq(account))
                .filter(link::Column::Purpose.eq(purpose.name()));
            before.exec(tx).await?;
        }
        let (secret, now) = (random::secret()?, now());
        let expires = now + i64::from(self.minutes(purpose)) * 60_000;
        let row = link::ActiveModel {
            hash: Set(random::hash(&secret)),
            purpose: Set(purpose.name().to_owned()),
            account: Set(account.map(str::to_owned)),
            email: Set(email.map(str::to_owned)),
            created: Set(now),
            expires: Set(expires),
            used_at: Set(None),
        };
        link::Entity::insert(row).exec_without_returning(tx).await?;
        let public = self.config.public_url.trim_end_matches('/');
        Ok(Made {
            url: format!("{public}/identity/{}/{secret}", purpose.path()),
            expires,
        })
    }

    /// Makes one and mails it to the account's address, when the transaction commits.
    pub(crate) async fn mail(&self, tx: &Tx, purpose: Purpose, to: &user::Model) -> Result<()> {
        let Some(email) = &to.email else {
            return Err(Error::State("this account has no e-mail address".to_owned()));
        };
        let made = self.make(tx, purpose, Some(&to.id), Some(email)).await?;
        let letter = Letter {
            name: if to.name.is_empty() { email } else { &to.name },
            email,
            url: &made.url,
            lifetime: in_words(self.minutes(purpose)),
        };
        self.mail.send(purpose.template(), email, &letter).within(tx).await?;
        Ok(())
    }

    /// When the link of an account was made that was made last.
    pub(crate) async fn made_at(&self, tx: &Tx, purpose: Purpose, account: &str) -> Result<Option<i64>> {
        let rows = link::Entity::find()
            .filter(link::Column::Account.eq(account))
            .filter(link::Column::Purpose.eq(purpose.name()))
            .all(tx)
            .await?;
        Ok(rows.iter().map(|row| row.created).max())
    }

    /// Looks at a link without using it up.
    pub(crate) async fn look(&self, purposes: &[Purpose], token: &str) -> Result<(Purpose, link::Model)> {
        let row = link::Entity::find_by_id(random::hash(token)).one(&self.db).await?;
        let row = row
            .filter(|row| row.used_at.is_none() && row.expires > now())
            .ok_or_else(Error::link)?;
        let purpose = purposes.iter().find(|purpose| purpose.name() == row.purpose);
        purpose.map(|purpose| (*purpose, row)).ok_or_else(Error::link)
    }

    /// Uses a link up that was looked at: once, whoever else tries at the same time.
    pub(crate) async fn claim(&self, tx: &Tx, row: &link::Model) -> Result<()> {
        let now = now();
        let claimed = link::Entity::update_many()
            .col_expr(link::Column::UsedAt, Expr::value(now))
            .filter(link::Column::Hash.eq(row.hash.as_str()))
            .filter(link::Column::UsedAt.is_null().and(Expr::col(link::Column::Expires).gt(now)))
            .exec(tx)
            .await?;
        match claimed.rows_affected {
            1 => Ok(()),
            _ => Err(Error::link()),
        }
    }

    /// Forgets the links of an account.
    pub(crate) async fn forget(&self, tx: &Tx, account: &str) -> Result<()> {
        link::Entity::delete_many()
            .filter(link::Column::Account.eq(account))
            .exec(tx)
            .await?;
        Ok(())
    }

    /// Whether an administrator's link was ever accepted.
    pub(crate) async fn has_administrator(&self) -> Result<bool> {
        let accepted = link::Entity::find()
            .filter(link::Column::Purpose.eq(Purpose::Administrator.name()))
            .filter(link::Column::UsedAt.is_not_null());
        Ok(accepted.one(&self.db).await?.is_some())
    }

    /// Removes links that are past. Accepted ones of administrators stay: they say that there was one.
    pub(crate) async fn tidy(&self) -> Result<u64> {
        let administrators = link::Column::Purpose
            .eq(Purpose::Administrator.name())
            .and(link::Column::UsedAt.is_not_null());
        let old = link::Entity::delete_many()
            .filter(link::Column::Expires.lt(now()))
            .filter(administrators.not());
        Ok(old.exec(&self.db).await?.rows_affected)
    }

    fn minutes(&self, purpose: Purpose) -> u32 {
        match purpose {
            Purpose::Invite => self.config.links.invitation_minutes,
            Purpose::Administrator => ADMINISTRATOR_MINUTES,
            Purpose::Verify => self.config.links.verification_minutes,
            Purpose::Reset => self.config.links.reset_minutes,
        }
    }
}

fn in_words(minutes: u32) -> String {
    match minutes {
        1 => "1 minute".to_owned(),
        minutes if minutes % 1440 == 0 && minutes > 1440 => format!("{} days", minutes / 1440),
        minutes if minutes % 60 == 0 && minutes > 60 => format!("{} hours", minutes / 60),
        minutes => format!("{minutes} minutes"),
    }
}

pub(crate) fn templates() -> MailTemplates {
    MailTemplates::new()
        .file("invitation.subject", "Your invitation")
        .file("invitation.txt", include_str!("mails/invitation.txt"))
        .file("invitation.html", include_str!("mails/invitation.html"))
        .file("verification.subject", "Please confirm your e-mail address")
        .file("verification.txt", include_str!("mails/verification.txt"))
        .file("verification.html", include_str!("mails/verification.html"))
        .file("reset.subject", "Set a new password")
        .file("reset.txt", include_str!("mails/reset.txt"))
        .file("reset.html", include_str!("mails/reset.html"))
}
