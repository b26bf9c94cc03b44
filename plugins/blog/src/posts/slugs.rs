//! Which slug a post gets: that of its title, or with a number when another post has it.

use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use wharf_sdk::Tenant;
use wharf_sdk::services::database::Tx;

use crate::clock;
use crate::domain::slug::{numbered, of_title};
use crate::error::{Error, Result};
use crate::tables::slug;

/// Numbers that are tried before something unlike any other is taken.
const TRIES: u32 = 10;
/// How much of an id makes a slug unlike any other.
const UNLIKE: usize = 12;

/// Takes a slug for a title. One that led to this post before is taken again.
pub(super) async fn take(tx: &Tx, tenant: &Tenant, post: &str, title: &str) -> Result<String> {
    let base = of_title(title);
    for number in 1..=TRIES {
        let slug = numbered(&base, number);
        if insert(tx, tenant, post, &slug).await? || leads_to(tx, tenant, post, &slug).await? {
            return Ok(slug);
        }
    }
    // The end of an id is random.
    let tail: String = clock::id().chars().rev().take(UNLIKE).collect();
    let slug = format!("{base}-{tail}");
    match insert(tx, tenant, post, &slug).await? {
        true => Ok(slug),
        false => Err(Error::Invalid(format!(
            "found no free slug for the title, tried {slug} last; choose another title"
        ))),
    }
}

/// Lets a slug go that nobody can have seen.
pub(super) async fn release(tx: &Tx, tenant: &Tenant, post: &str, slug: &str) -> Result<()> {
    tenant
        .delete_many::<slug::Entity>()
        .filter(slug::Column::Post.eq(post))
        .filter(slug::Column::Slug.eq(slug))
        .exec(tx)
        .await?;
    Ok(())
}

/// Whether it was free. On PostgreSQL this waits for another transaction that takes the same one.
async fn insert(tx: &Tx, tenant: &Tenant, post: &str, slug: &str) -> Result<bool> {
    let row = slug::ActiveModel {
        slug: Set(slug.to_owned()),
        post: Set(post.to_owned()),
        created: Set(clock::now()),
        ..Default::default()
    };
    let taken = OnConflict::columns([slug::Column::Tenant, slug::Column::Slug])
        .do_nothing()
        .to_owned();
    let inserted = slug::Entity::insert(tenant.stamp(row))
        .on_conflict(taken)
        .exec_without_returning(tx)
        .await?;
    Ok(inserted > 0)
}

async fn leads_to(tx: &Tx, tenant: &Tenant, post: &str, slug: &str) -> Result<bool> {
    let found = tenant.find::<slug::Entity>().filter(slug::Column::Slug.eq(slug)).one(tx).await?;
    Ok(found.is_some_and(|row| row.post == post))
}
