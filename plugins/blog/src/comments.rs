//! What readers say of posts, and who decides whether others see it.

use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;
use wharf_sdk::{Principal, Resource, Tenant};

use crate::Blog;
use crate::clock;
use crate::domain::page::{self, Place};
use crate::domain::slug::is_slug;
use crate::domain::state::State;
use crate::domain::words;
use crate::error::{Error, Result};
use crate::events::CommentAdded;
use crate::tables::{comment, post, slug};

/// Writing comments.
pub(crate) const WRITE: &str = "blog.comment.write";
/// Deciding on comments.
pub(crate) const MODERATE: &str = "blog.comment.moderate";

/// Whether others see a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// Nobody decided yet: only its author does, and whoever decides.
    Pending,
    /// Everyone does.
    Approved,
    /// Only its author does.
    Rejected,
}

impl Status {
    pub(crate) const ALL: [Self; 3] = [Self::Pending, Self::Approved, Self::Rejected];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }
}

impl Blog {
    /// Adds a comment to a published post, in the transaction of whoever asks.
    pub(crate) async fn comment(&self, tx: &Tx, tenant: &Tenant, who: &Principal, slug: &str, body: &str) -> Result<comment::Model> {
        let id = clock::id();
        self.authz.require(WRITE, Resource::named(object(&id)).owned_by(who.subject()))?;
        if !is_slug(slug) {
            return Err(Error::NotFound("post"));
        }
        let found = tenant.find::<slug::Entity>().filter(slug::Column::Slug.eq(slug)).one(tx).await?;
        let post = found.ok_or(Error::NotFound("post"))?.post;
        let is_published = tenant
            .find::<post::Entity>()
            .filter(post::Column::Id.eq(&post))
            .filter(post::Column::State.eq(State::Published.name()))
            .select_only()
            .column(post::Column::Id)
            .into_tuple::<String>()
            .one(tx)
            .await?;
        is_published.ok_or(Error::NotFound("post"))?;
        let status = if self.config.comments.moderated {
            Status::Pending
        } else {
            Status::Approved
        };
        let comment = comment::Model {
            id,
            tenant: tenant.as_str().to_owned(),
            post,
            author: who.subject().to_owned(),
            body: words::comment(body)?,
            status: status.name().to_owned(),
            created: clock::now(),
            decided: None,
            decided_by: None,
        };
        comment::Entity::insert(tenant.stamp(comment.clone().into_active_model()))
            .exec_without_returning(tx)
            .await?;
        let event = CommentAdded {
            comment: comment.id.clone(),
            post: comment.post.clone(),
            author: comment.author.clone(),
            status: comment.status.clone(),
            at: clock::text(comment.created),
        };
        tenant.events(&self.events).publish(tx, &event).await?;
        let entry = Entry::of("blog.comment.add").on(object(&comment.id)).added("post", &comment.post);
        self.audit.record(tx, entry.in_tenant(tenant.as_str())).await?;
        Ok(comment)
    }

    /// Comments on a published post that the caller sees, oldest first: approved ones, and their own.
    pub(crate) async fn comments_on(
        &self,
        tenant: &Tenant,
        who: Option<&Principal>,
        slug: &str,
        size: u32,
        token: &str,
    ) -> Result<(Vec<comment::Model>, String)> {
        let post = self.shown_anyhow(tenant, slug).await?.id;
        let mut visible = Condition::any().add(comment::Column::Status.eq(Status::Approved.name()));
        if let Some(who) = who {
            visible = visible.add(comment::Column::Author.eq(who.subject()));
        }
        let condition = Condition::all().add(comment::Column::Post.eq(post)).add(visible);
        self.comment_page(tenant, condition, size, token).await
    }

    /// Comments on all posts, oldest first, for those who decide.
    pub(crate) async fn comments(
        &self,
        tenant: &Tenant,
        status: Option<Status>,
        size: u32,
        token: &str,
    ) -> Result<(Vec<comment::Model>, String)> {
        let mut condition = Condition::all();
        if let Some(status) = status {
            condition = condition.add(comment::Column::Status.eq(status.name()));
        }
        self.comment_page(tenant, condition, size, token).await
    }

    /// Decides on a comment. Deciding the same again changes nothing.
    pub(crate) async fn decide(&self, tenant: &Tenant, who: &Principal, id: &str, status: Status) -> Result<comment::Model> {
        self.authz.require(MODERATE, object(id).as_str())?;
        let tx = self.db.begin().await?;
        let found = tenant.find::<comment::Entity>().filter(comment::Column::Id.eq(id)).one(&tx).await?;
        let mut comment = found.ok_or(Error::NotFound("comment"))?;
        if comment.status == status.name() {
            return Ok(comment);
        }
        let before = std::mem::replace(&mut comment.status, status.name().to_owned());
        (comment.decided, comment.decided_by) = (Some(clock::now()), Some(who.subject().to_owned()));
        let row = comment::ActiveModel {
            status: Set(comment.status.clone()),
            decided: Set(comment.decided),
            decided_by: Set(comment.decided_by.clone()),
            ..Default::default()
        };
        tenant
            .update_many::<comment::Entity>()
            .set(row)
            .filter(comment::Column::Id.eq(id))
            .exec(&tx)
            .await?;
        let entry = Entry::of("blog.comment.decide")
            .on(object(id))
            .changed("status", &before, &comment.status);
        self.audit.record(&tx, entry.in_tenant(tenant.as_str())).await?;
        tx.commit().await?;
        Ok(comment)
    }

    /// Deletes a comment of the caller's own, or any for those who decide. What they may not see is not there.
    pub(crate) async fn delete_comment(&self, tenant: &Tenant, who: &Principal, id: &str) -> Result<()> {
        let tx = self.db.begin().await?;
        let found = tenant.find::<comment::Entity>().filter(comment::Column::Id.eq(id)).one(&tx).await?;
        let comment = found.ok_or(Error::NotFound("comment"))?;
        if comment.author != who.subject() && !self.authz.check(MODERATE, object(id).as_str())? {
            if comment.status != Status::Approved.name() {
                return Err(Error::NotFound("comment"));
            }
            self.authz.require(MODERATE, object(id).as_str())?;
        }
        tenant
            .delete_many::<comment::Entity>()
            .filter(comment::Column::Id.eq(id))
            .exec(&tx)
            .await?;
        let entry = Entry::of("blog.comment.delete").on(object(id)).removed("author", &comment.author);
        self.audit.record(&tx, entry.in_tenant(tenant.as_str())).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn comment_page(&self, tenant: &Tenant, condition: Condition, size: u32, token: &str) -> Result<(Vec<comment::Model>, String)> {
        let mut comments = tenant.find::<comment::Entity>().filter(condition);
        if let Some(place) = Place::read(token)? {
            let same = Condition::all()
                .add(comment::Column::Created.eq(place.time))
                .add(comment::Column::Id.gt(place.id));
            comments = comments.filter(Condition::any().add(comment::Column::Created.gt(place.time)).add(same));
        }
        let size = page::size(size);
        let mut rows = comments
            .order_by_asc(comment::Column::Created)
            .order_by_asc(comment::Column::Id)
            .limit(size + 1)
            .all(&self.db)
            .await?;
        let token = |row: &comment::Model| {
            let place = Place {
                time: row.created,
                id: row.id.clone(),
            };
            place.token()
        };
        let next = page::cut(&mut rows, size, token);
        Ok((rows, next))
    }
}

fn object(id: &str) -> String {
    format!("comment/{id}")
}
