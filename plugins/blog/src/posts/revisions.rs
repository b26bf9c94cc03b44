//! What posts said before.

use sea_orm::{ColumnTrait, ConnectionTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_sdk::{Principal, Tenant};

use super::{Expected, Post, Text, WRITE};
use crate::Blog;
use crate::domain::page;
use crate::error::{Error, Result};
use crate::search::statement;
use crate::tables::revision;

/// A revision in a list.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Revision {
    pub(crate) number: i64,
    pub(crate) title: String,
    pub(crate) author: String,
    pub(crate) created: i64,
}

impl Blog {
    /// Revisions of a post that the caller may see, newest first. What was never published is not everyone's, so a published post
    /// is not enough: 404 for whoever may not write it, nor read drafts.
    pub(crate) async fn revisions(
        &self,
        tenant: &Tenant,
        who: &Principal,
        id: &str,
        size: u32,
        token: &str,
    ) -> Result<(Vec<Revision>, String)> {
        self.past(tenant, who, id).await?;
        let size = page::size(size);
        let before: i64 = match token {
            "" => i64::MAX,
            token => token.parse().map_err(|_| page::BadToken)?,
        };
        let mut rows = tenant
            .find::<revision::Entity>()
            .filter(revision::Column::Post.eq(id))
            .filter(revision::Column::Number.lt(before))
            .order_by_desc(revision::Column::Number)
            .limit(size + 1)
            .select_only()
            .columns([
                revision::Column::Number,
                revision::Column::Title,
                revision::Column::Author,
                revision::Column::Created,
            ])
            .into_model::<Revision>()
            .all(&self.db)
            .await?;
        let next = page::cut(&mut rows, size, |row| row.number.to_string());
        Ok((rows, next))
    }

    /// One revision, whole.
    pub(crate) async fn revision(&self, tenant: &Tenant, who: &Principal, id: &str, number: i64) -> Result<revision::Model> {
        self.past(tenant, who, id).await?;
        let found = tenant
            .find::<revision::Entity>()
            .filter(revision::Column::Post.eq(id))
            .filter(revision::Column::Number.eq(number))
            .one(&self.db)
            .await?;
        found.ok_or(Error::NotFound("revision"))
    }

    /// Makes a post say again what it said then: a new version, and a new revision.
    pub(crate) async fn restore(&self, tenant: &Tenant, who: &Principal, id: &str, number: i64, expected: &Expected) -> Result<Post> {
        let post = self.post_for(tenant, who, id, WRITE).await?;
        expected.check(post.row.version)?;
        let then = self.revision(tenant, who, id, number).await?;
        let text = Text {
            tags: tags(&then),
            title: then.title,
            summary: then.summary,
            body: then.body,
        };
        self.rewrite(tenant, who, post, text, "restore").await
    }

    /// Deletes what is older than the revisions that are kept of each post, of all tenants, and changes that nobody watches any more.
    pub(crate) async fn prune(&self, changes_before: i64) -> Result<u64> {
        const OLD: &str = "DELETE FROM revision WHERE id IN (SELECT ranked.id FROM (SELECT id, ROW_NUMBER() OVER \
             (PARTITION BY tenant, post ORDER BY number DESC) AS place FROM revision) AS ranked WHERE ranked.place > ?)";
        let tx = self.db.begin().await?;
        let keep = i64::from(self.config.revisions.keep);
        let pruned = tx.execute_raw(statement(&tx, OLD, [keep.into()])).await?.rows_affected();
        tx.execute_raw(statement(&tx, "DELETE FROM change WHERE at < ?", [changes_before.into()]))
            .await?;
        tx.commit().await?;
        Ok(pruned)
    }

    async fn past(&self, tenant: &Tenant, who: &Principal, id: &str) -> Result<()> {
        let post = self.any_post(&self.db, tenant, id).await?;
        let resource = || super::resource(&post.row);
        let may = post.row.author == who.subject() || self.authz.check(super::READ, resource())? || self.authz.check(WRITE, resource())?;
        if may { Ok(()) } else { Err(Error::NotFound("post")) }
    }
}

pub(crate) fn tags(revision: &revision::Model) -> Vec<String> {
    serde_json::from_str(&revision.tags).unwrap_or_default()
}
