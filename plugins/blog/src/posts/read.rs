//! Lists of posts and tags.

use sea_orm::{ColumnTrait, Condition, ConnectionTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait, Select};
use wharf_sdk::services::authz::named;
use wharf_sdk::{Principal, Tenant};

use super::{READ, tags_of};
use crate::Blog;
use crate::domain::page::{self, BadToken, Place};
use crate::domain::state::State;
use crate::domain::words;
use crate::error::Result;
use crate::search::statement;
use crate::tables::{post, tag};

/// What lists show of a post: everything but its body.
#[derive(Clone, Debug, FromQueryResult)]
pub(crate) struct Head {
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) title: String,
    pub(crate) summary: String,
    pub(crate) excerpt: String,
    pub(crate) minutes: i32,
    pub(crate) state: String,
    pub(crate) author: String,
    pub(crate) version: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) published: Option<i64>,
    pub(crate) scheduled: Option<i64>,
    /// Filled in afterwards.
    #[sea_orm(skip)]
    pub(crate) tags: Vec<String>,
}

/// Which posts are listed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) tag: Option<String>,
    pub(crate) author: Option<String>,
    pub(crate) state: Option<State>,
    pub(crate) size: u32,
    pub(crate) token: String,
}

/// A tag, and how many published posts have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TagCount {
    pub(crate) tag: String,
    pub(crate) posts: i64,
}

impl Blog {
    /// Published posts, newest first.
    pub(crate) async fn published(&self, tenant: &Tenant, filter: &Filter) -> Result<(Vec<Head>, String)> {
        let place = Place::read(&filter.token)?;
        let posts = tenant
            .find::<post::Entity>()
            .filter(post::Column::State.eq(State::Published.name()));
        let Some(posts) = narrowed(posts, tenant, filter) else {
            return Ok((Vec::new(), String::new()));
        };
        let posts = after(posts, post::Column::Published, place).order_by_desc(post::Column::Published);
        self.page(tenant, posts, filter.size, |head| head.published.unwrap_or_default())
            .await
    }

    /// Posts in any state that are the caller's own or that they may read, the one that changed last first.
    pub(crate) async fn drafts(&self, tenant: &Tenant, who: &Principal, filter: &Filter) -> Result<(Vec<Head>, String)> {
        let place = Place::read(&filter.token)?;
        let readable = self
            .authz
            .scope(READ)?
            .condition(&self.db, post::Column::Author, named("post/", post::Column::Id));
        let visible = Condition::any().add(post::Column::Author.eq(who.subject())).add(readable);
        let mut posts = tenant.find::<post::Entity>().filter(visible);
        if let Some(state) = filter.state {
            posts = posts.filter(post::Column::State.eq(state.name()));
        }
        let Some(posts) = narrowed(posts, tenant, filter) else {
            return Ok((Vec::new(), String::new()));
        };
        let posts = after(posts, post::Column::Updated, place).order_by_desc(post::Column::Updated);
        self.page(tenant, posts, filter.size, |head| head.updated).await
    }

    /// Posts by their ids, in any order; those that are not published are left out.
    pub(crate) async fn heads(&self, tenant: &Tenant, ids: &[String]) -> Result<Vec<Head>> {
        let posts = tenant
            .find::<post::Entity>()
            .filter(post::Column::State.eq(State::Published.name()))
            .filter(post::Column::Id.is_in(ids));
        let mut heads = shown(posts).into_model::<Head>().all(&self.db).await?;
        self.tag(tenant, &mut heads).await?;
        Ok(heads)
    }

    /// Tags of published posts, in their order.
    pub(crate) async fn tags(&self, tenant: &Tenant, size: u32, token: &str) -> Result<(Vec<TagCount>, String)> {
        const COUNTS: &str = "SELECT t.tag AS tag, COUNT(*) AS posts FROM post_tag t JOIN post p ON p.id = t.post AND p.tenant = t.tenant \
             WHERE t.tenant = ? AND p.state = 'published' AND t.tag > ? GROUP BY t.tag ORDER BY t.tag LIMIT ?";
        if !token.is_empty() {
            words::tag(token).map_err(|_| BadToken)?;
        }
        let size = page::size(size);
        let limit = i64::try_from(size + 1).unwrap_or(i64::MAX);
        let values = [tenant.as_str().into(), token.into(), limit.into()];
        let rows = self.db.query_all_raw(statement(&self.db, COUNTS, values)).await?;
        let mut counts = rows
            .iter()
            .map(|row| {
                Ok(TagCount {
                    tag: row.try_get("", "tag")?,
                    posts: row.try_get("", "posts")?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let next = page::cut(&mut counts, size, |count| count.tag.clone());
        Ok((counts, next))
    }

    async fn page(
        &self,
        tenant: &Tenant,
        posts: Select<post::Entity>,
        size: u32,
        time: impl Fn(&Head) -> i64,
    ) -> Result<(Vec<Head>, String)> {
        let size = page::size(size);
        let posts = shown(posts).order_by_desc(post::Column::Id).limit(size + 1);
        let mut heads = posts.into_model::<Head>().all(&self.db).await?;
        let token = |head: &Head| {
            let place = Place {
                time: time(head),
                id: head.id.clone(),
            };
            place.token()
        };
        let next = page::cut(&mut heads, size, token);
        self.tag(tenant, &mut heads).await?;
        Ok((heads, next))
    }

    async fn tag(&self, tenant: &Tenant, heads: &mut [Head]) -> Result<()> {
        let ids: Vec<&str> = heads.iter().map(|head| head.id.as_str()).collect();
        let mut tags = tags_of(&self.db, tenant, &ids).await?;
        for head in heads {
            head.tags = tags.remove(&head.id).unwrap_or_default();
        }
        Ok(())
    }
}

/// Only the columns of a head: bodies are long.
fn shown(posts: Select<post::Entity>) -> Select<post::Entity> {
    use post::Column::{Author, Created, Excerpt, Id, Minutes, Published, Scheduled, Slug, State, Summary, Title, Updated, Version};
    posts.select_only().columns([
        Author, Created, Excerpt, Id, Minutes, Published, Scheduled, Slug, State, Summary, Title, Updated, Version,
    ])
}

/// Only those of a tag and an author; none when no post can have them.
fn narrowed(mut posts: Select<post::Entity>, tenant: &Tenant, filter: &Filter) -> Option<Select<post::Entity>> {
    if let Some(author) = &filter.author {
        if author.contains('\0') {
            return None;
        }
        posts = posts.filter(post::Column::Author.eq(author.as_str()));
    }
    if let Some(tag) = &filter.tag {
        let tagged = tenant
            .find::<tag::Entity>()
            .filter(tag::Column::Tag.eq(words::tag(tag).ok()?))
            .select_only()
            .column(tag::Column::Post);
        posts = posts.filter(post::Column::Id.in_subquery(tagged.into_query()));
    }
    Some(posts)
}

/// Only those after a place, where lists go from late to early.
fn after(posts: Select<post::Entity>, time: post::Column, place: Option<Place>) -> Select<post::Entity> {
    let Some(place) = place else { return posts };
    let same = Condition::all().add(time.eq(place.time)).add(post::Column::Id.lt(place.id));
    posts.filter(Condition::any().add(time.lt(place.time)).add(same))
}
