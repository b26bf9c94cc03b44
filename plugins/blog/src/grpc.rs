//! `wharf.blog.v1.Posts`: it translates.

use std::sync::Arc;

use sea_orm::TransactionTrait;
use tonic::{Request, Response, Status};
use wharf_proto::blog::v1 as pb;
use wharf_proto::blog::v1::posts_server::PostsServer;
use wharf_sdk::{Grpc, Principal, Tenant};

use crate::Blog;
use crate::clock::{from_proto, proto};
use crate::domain::markdown::Kind;
use crate::domain::state::{Action, State};
use crate::error::Error;
use crate::posts::{Doing, Expected, Filter, Head, Post, Shown, Text, rendered};
use crate::tables::change;
use crate::watch::Feed;

type Answer<T> = Result<Response<T>, Status>;

pub(crate) fn services(blog: &Arc<Blog>) -> Grpc {
    Grpc::new().serve(PostsServer::from_arc(blog.clone()))
}

#[tonic::async_trait]
impl pb::posts_server::Posts for Blog {
    type WatchStream = Feed;

    async fn create(&self, request: Request<pb::CreatePostRequest>) -> Answer<pb::Post> {
        let (who, new) = (Principal::required()?, request.into_inner());
        let text = Text::of(&new.title, &new.summary, &new.body, &new.tags)?;
        let tx = self.db.begin().await.map_err(Error::from)?;
        let post = self.create(&tx, &Tenant::of(&who), &who, text).await?;
        tx.commit().await.map_err(Error::from)?;
        whole(post).await
    }

    async fn get(&self, request: Request<pb::GetPostRequest>) -> Answer<pb::Post> {
        let (tenant, asked) = (Tenant::current(), request.into_inner());
        if asked.id.is_empty() {
            return Ok(Response::new(shown(self.shown_anyhow(&tenant, &asked.slug).await?)));
        }
        whole(self.post(&tenant, Principal::current().as_ref(), &id(&asked.id)?).await?).await
    }

    async fn list(&self, request: Request<pb::ListPostsRequest>) -> Answer<pb::ListPostsResponse> {
        let asked = request.into_inner();
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        let filter = Filter {
            tag: some(asked.tag),
            author: some(asked.author),
            state: None,
            size: asked.page_size,
            token: asked.page_token,
        };
        let (heads, next_page_token) = self.published(&Tenant::current(), &filter).await?;
        Ok(Response::new(pb::ListPostsResponse {
            posts: heads.into_iter().map(head).collect(),
            next_page_token,
        }))
    }

    async fn update(&self, request: Request<pb::UpdatePostRequest>) -> Answer<pb::Post> {
        let (who, asked) = (Principal::required()?, request.into_inner());
        let (tenant, id) = (Tenant::of(&who), id(&asked.id)?);
        let before = self.post(&tenant, Some(&who), &id).await?;
        // What is not set stays as it was read: without a version of the caller's, that of this read counts.
        let expected = match asked.version {
            0 => Expected::OneOf(vec![before.row.version]),
            version => Expected::version(version),
        };
        let now = before.text();
        let text = Text::of(
            asked.title.as_deref().unwrap_or(&now.title),
            asked.summary.as_deref().unwrap_or(&now.summary),
            asked.body.as_deref().unwrap_or(&now.body),
            &asked.tags.map_or(now.tags, |list| list.tags),
        )?;
        whole(self.update(&tenant, &who, &id, &expected, text).await?).await
    }

    async fn publish(&self, request: Request<pb::PublishPostRequest>) -> Answer<pb::Post> {
        let asked = request.into_inner();
        let doing = match &asked.at {
            None => Doing::Now(Action::Publish),
            Some(at) => Doing::Later(from_proto(at).ok_or_else(|| Status::invalid_argument("found a time that is none in `at`"))?),
        };
        act(self, &asked.id, asked.version, doing).await
    }

    async fn archive(&self, request: Request<pb::ArchivePostRequest>) -> Answer<pb::Post> {
        let asked = request.into_inner();
        act(self, &asked.id, asked.version, Doing::Now(Action::Archive)).await
    }

    async fn delete(&self, request: Request<pb::DeletePostRequest>) -> Answer<pb::DeletePostResponse> {
        let (who, asked) = (Principal::required()?, request.into_inner());
        let expected = Expected::version(asked.version);
        self.delete(&Tenant::of(&who), &who, &id(&asked.id)?, &expected).await?;
        Ok(Response::new(pb::DeletePostResponse {}))
    }

    async fn search(&self, request: Request<pb::SearchPostsRequest>) -> Answer<pb::SearchPostsResponse> {
        let asked = request.into_inner();
        let (hits, next_page_token) = self
            .search(&Tenant::current(), &asked.query, asked.page_size, &asked.page_token)
            .await?;
        let results = hits.into_iter().map(|hit| pb::SearchResult {
            post: Some(head(hit.head)),
            snippet: hit.snippet,
            score: hit.score,
        });
        Ok(Response::new(pb::SearchPostsResponse {
            results: results.collect(),
            next_page_token,
        }))
    }

    async fn watch(&self, _: Request<pb::WatchPostsRequest>) -> Answer<Feed> {
        Ok(Response::new(self.watchers.watch(&self.ctx, Tenant::current())))
    }
}

/// A change as a watcher hears it.
pub(crate) fn change(row: &change::Model) -> pb::PostChange {
    pb::PostChange {
        post_id: row.post.clone(),
        slug: row.slug.clone(),
        what: row.what.clone(),
        state: state(&row.state).into(),
        version: version(row.version),
        at: Some(proto(row.at)),
    }
}

async fn act(blog: &Blog, asked: &str, version: u64, doing: Doing) -> Answer<pb::Post> {
    let who = Principal::required()?;
    let expected = Expected::version(version);
    whole(blog.act(&Tenant::of(&who), &who, &id(asked)?, &expected, doing).await?).await
}

/// An id in the form of the database.
fn id(text: &str) -> Result<String, Status> {
    let id = uuid::Uuid::try_parse(text).map_err(|_| Status::invalid_argument(format!("found id {text:?}, expected a UUID")))?;
    Ok(id.to_string())
}

async fn whole(post: Post) -> Answer<pb::Post> {
    let Post { row, tags } = post;
    Ok(Response::new(pb::Post {
        html: rendered(&row.body, Kind::Post).await?,
        id: row.id,
        slug: row.slug,
        title: row.title,
        summary: row.summary,
        body: row.body,
        tags,
        author: row.author,
        state: state(&row.state).into(),
        version: version(row.version),
        created_at: Some(proto(row.created)),
        updated_at: Some(proto(row.updated)),
        published_at: row.published.map(proto),
        scheduled_at: row.scheduled.map(proto),
    }))
}

fn shown(post: Shown) -> pb::Post {
    pb::Post {
        id: post.id,
        slug: post.slug,
        title: post.title,
        summary: post.summary,
        body: post.body,
        html: post.html,
        tags: post.tags,
        author: post.author,
        state: pb::PostState::Published.into(),
        version: version(post.version),
        created_at: Some(proto(post.created)),
        updated_at: Some(proto(post.updated)),
        published_at: Some(proto(post.published)),
        scheduled_at: None,
    }
}

fn head(head: Head) -> pb::Post {
    pb::Post {
        id: head.id,
        slug: head.slug,
        title: head.title,
        summary: head.summary,
        body: String::new(),
        html: String::new(),
        tags: head.tags,
        author: head.author,
        state: state(&head.state).into(),
        version: version(head.version),
        created_at: Some(proto(head.created)),
        updated_at: Some(proto(head.updated)),
        published_at: head.published.map(proto),
        scheduled_at: head.scheduled.map(proto),
    }
}

fn state(name: &str) -> pb::PostState {
    match State::named(name) {
        Some(State::Draft) => pb::PostState::Draft,
        Some(State::Scheduled) => pb::PostState::Scheduled,
        Some(State::Published) => pb::PostState::Published,
        Some(State::Archived) => pb::PostState::Archived,
        None => pb::PostState::Unspecified,
    }
}

fn version(version: i64) -> u64 {
    u64::try_from(version).unwrap_or_default()
}
