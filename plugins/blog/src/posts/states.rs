//! Publishing, scheduling, taking back and archiving; and what was scheduled, when it is time.

use sea_orm::{ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect, TransactionTrait};
use wharf_sdk::audit::Entry;
use wharf_sdk::services::database::Tx;
use wharf_sdk::tracing::{self, Instrument as _};
use wharf_sdk::{Principal, Tenant};

use super::{Expected, PUBLISH, Post, object, tags_of};
use crate::Blog;
use crate::clock;
use crate::domain::state::{Action, State};
use crate::error::{Error, Result};
use crate::events::PostPublished;
use crate::search;
use crate::tables::post;

/// Furthest in the future that a post is scheduled: ten years.
const FURTHEST_MS: i64 = 10 * 366 * 86_400_000;
/// Posts that are read at a time when they are due.
const DUE: u64 = 100;

/// What is done, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doing {
    /// Now.
    Now(Action),
    /// Publishing, at this time.
    Later(i64),
}

impl Doing {
    fn action(self) -> Action {
        match self {
            Self::Now(action) => action,
            Self::Later(_) => Action::Schedule,
        }
    }

    /// A time that a post can be scheduled for.
    fn scheduled(self) -> Result<Option<i64>> {
        let Self::Later(at) = self else { return Ok(None) };
        let now = clock::now();
        if at <= now || at > now + FURTHEST_MS {
            return Err(Error::Invalid(format!(
                "found the time {}, expected one in the future and within ten years; to publish now, publish",
                clock::text(at)
            )));
        }
        Ok(Some(at))
    }
}

impl Blog {
    /// Brings a post into another state.
    pub(crate) async fn act(&self, tenant: &Tenant, who: &Principal, id: &str, expected: &Expected, doing: Doing) -> Result<Post> {
        let span = tracing::info_span!("change state of post", post.id = id, action = doing.action().name());
        self.change_state(tenant, who, id, expected, doing).instrument(span).await
    }

    async fn change_state(&self, tenant: &Tenant, who: &Principal, id: &str, expected: &Expected, doing: Doing) -> Result<Post> {
        let before = self.post_for(tenant, who, id, PUBLISH).await?;
        expected.check(before.row.version)?;
        let scheduled = doing.scheduled()?;
        let mut after = before.clone();
        become_(&mut after, doing.action(), scheduled)?;
        let tx = self.db.begin().await?;
        let slugs = self.move_to(&tx, tenant, &before, &after, doing.action()).await?;
        tx.commit().await?;
        self.told(tenant, &slugs).await;
        Ok(after)
    }

    /// Publishes what is due, of all tenants. However many do this at a time, each post is published once: the change of its state
    /// and the event are one transaction, and only one can change the version that was read.
    pub(crate) async fn publish_due(&self) -> Result<u64> {
        let mut published = 0;
        let mut last = (i64::MIN, String::new());
        loop {
            // Each one is tried once, so that one which cannot be published does not hold up those after it.
            let later = Condition::all()
                .add(post::Column::Scheduled.eq(last.0))
                .add(post::Column::Id.gt(last.1));
            let due = post::Entity::find()
                .filter(post::Column::State.eq(State::Scheduled.name()))
                .filter(post::Column::Scheduled.lte(clock::now()))
                .filter(Condition::any().add(post::Column::Scheduled.gt(last.0)).add(later))
                .order_by_asc(post::Column::Scheduled)
                .order_by_asc(post::Column::Id)
                .limit(DUE)
                .all(&self.db)
                .await?;
            let Some(end) = due.last() else { return Ok(published) };
            last = (end.scheduled.unwrap_or_default(), end.id.clone());
            for row in due {
                let id = row.id.clone();
                match self.release(row).await {
                    Ok(was_ours) => published += u64::from(was_ours),
                    Err(error) => {
                        tracing::error!(post.id = id, %error, "a scheduled post could not be published; trying again in a minute")
                    }
                }
            }
        }
    }

    /// Publishes one post that is due; `false` when somebody else did.
    async fn release(&self, row: post::Model) -> Result<bool> {
        let tenant = Tenant::named(&row.tenant)?;
        let tags = tags_of(&self.db, &tenant, &[row.id.as_str()])
            .await?
            .remove(&row.id)
            .unwrap_or_default();
        let before = Post { row, tags };
        let mut after = before.clone();
        become_(&mut after, Action::Publish, None)?;
        let tx = self.db.begin().await?;
        let slugs = match self.move_to(&tx, &tenant, &before, &after, Action::Publish).await {
            Err(Error::Stale { .. } | Error::NotFound(_)) => return Ok(false),
            moved => moved?,
        };
        tx.commit().await?;
        self.told(&tenant, &slugs).await;
        Ok(true)
    }

    /// Writes the new state and everything that goes with it.
    async fn move_to(&self, tx: &Tx, tenant: &Tenant, before: &Post, after: &Post, action: Action) -> Result<Vec<String>> {
        self.store(tx, tenant, before.row.version, &after.row).await?;
        match after.state() {
            State::Published => {
                search::index(tx, tenant, after).await?;
                tenant.events(&self.events).publish(tx, &published(after)).await?;
            }
            _ => search::unindex(tx, tenant, &after.row.id).await?,
        }
        let slugs = self.slugs_of(tx, tenant, &after.row.id).await?;
        self.tell(tx, tenant, action.name(), &after.row, &slugs).await?;
        let entry = Entry::of(&format!("blog.post.{}", action.name()))
            .on(object(&after.row.id))
            .changed("state", &before.row.state, &after.row.state)
            .changed(
                "scheduled",
                &before.row.scheduled.map(clock::text),
                &after.row.scheduled.map(clock::text),
            )
            .changed("version", &before.row.version, &after.row.version);
        self.record(tx, tenant, entry).await?;
        Ok(slugs)
    }
}

/// Changes the row as the action says.
fn become_(post: &mut Post, action: Action, scheduled: Option<i64>) -> Result<()> {
    let state = post.state().after(action)?;
    let now = clock::now();
    state.name().clone_into(&mut post.row.state);
    post.row.scheduled = scheduled;
    post.row.version += 1;
    post.row.updated = now;
    if state == State::Published {
        post.row.published.get_or_insert(now);
    }
    Ok(())
}

fn published(post: &Post) -> PostPublished {
    PostPublished {
        post: post.row.id.clone(),
        slug: post.row.slug.clone(),
        title: post.row.title.clone(),
        author: post.row.author.clone(),
        tags: post.tags.clone(),
        published_at: clock::text(post.row.published.unwrap_or(post.row.updated)),
    }
}
