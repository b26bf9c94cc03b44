//! Whose data it is: rows, cache keys, blob keys and events of one tenant, kept apart from those of others.

use std::fmt;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::events::EventContext;
use crate::principal::Principal;
use crate::problem::Problem;
use crate::services::blobs::Blobs;
use crate::services::cache::Cache;
use crate::services::events::Events;

/// The tenant of whoever is nobody, and of an installation that has no other.
pub const DEFAULT_TENANT: &str = "default";

const MAX_LENGTH: usize = 64;

/// One tenant, and the only way to its data: every row, key and event that is reached through it carries its name.
///
/// An extractor: the tenant of whoever calls, and [`DEFAULT_TENANT`] for nobody, so that public routes have one too.
///
/// ```ignore
/// async fn show(tenant: Tenant, State(blog): State<Arc<Blog>>, Path(id): Path<Uuid>) -> Result<Json<Post>> {
///     let post = tenant.find::<post::Entity>().filter(post::Column::Id.eq(id)).one(&blog.db).await?;
///     tenant.cache(&blog.cache).set("front-page", &post, MINUTE).await?;
/// }
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(Arc<str>);

impl Tenant {
    /// The tenant somebody acts in; the default one for modules and the host, which act in none.
    #[must_use]
    pub fn of(who: &Principal) -> Self {
        Self::or_default(&who.tenant)
    }

    /// The tenant of whoever calls what is being handled now, and the default one for nobody: see [`Principal::current`].
    #[must_use]
    pub fn current() -> Self {
        Principal::current().as_ref().map_or_else(Self::default, Self::of)
    }

    /// Whose event is being handled.
    #[must_use]
    pub fn of_event(event: &EventContext) -> Self {
        Self::or_default(event.meta().tenant.as_deref().unwrap_or_default())
    }

    /// The tenant of a name that comes from a row or from outside.
    ///
    /// # Errors
    /// [`Problem::bad_request`] for what is no name of a tenant: 1 to 64 lower-case letters, digits and `-`, not beginning with `-`.
    /// Names that [`Tenant::of`] has encoded are taken as they are, so that jobs reach their rows.
    pub fn named(name: &str) -> Result<Self, Problem> {
        let is_known = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_plain = !name.is_empty() && name.len() <= MAX_LENGTH && !name.starts_with('-') && name.bytes().all(is_known);
        if is_plain || is_encoded(name) {
            return Ok(Self(name.into()));
        }
        Err(Problem::bad_request(format!(
            "found tenant {:?}, expected 1 to {MAX_LENGTH} lower-case letters, digits and -",
            name.chars().take(MAX_LENGTH + 1).collect::<String>()
        )))
    }

    fn or_default(name: &str) -> Self {
        if name.is_empty() {
            return Self::default();
        }
        // Core modules give no other names; a source of callers outside might. Theirs must be nobody else's: none begins with `-`.
        Self::named(name).ok().filter(|tenant| !is_encoded(&tenant.0)).unwrap_or_else(|| {
            let hex: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
            Self(format!("-{hex}").into())
        })
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Its part of the module's cache: keys and locks are apart from those of other tenants.
    #[must_use]
    pub fn cache(&self, cache: &Cache) -> Cache {
        cache.within(&self.space())
    }

    /// Its part of the module's blobs. A list gives keys as they were put.
    #[must_use]
    pub fn blobs(&self, blobs: &Blobs) -> Blobs {
        blobs.within(&self.space())
    }

    /// The same, for events of this tenant: the envelope carries its name, and [`Tenant::of_event`] reads it.
    #[must_use]
    pub fn events(&self, events: &Events) -> Events {
        events.of_tenant(self.as_str())
    }

    /// Names of tenants have no `/`, so that no key of one begins as those of another.
    fn space(&self) -> String {
        format!("t/{}/", self.0)
    }
}

/// `-` and the bytes of a name in hex.
fn is_encoded(name: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    name.strip_prefix('-')
        .is_some_and(|hex| !hex.is_empty() && hex.len() % 2 == 0 && hex.bytes().all(is_hex))
}

impl Default for Tenant {
    fn default() -> Self {
        Self(DEFAULT_TENANT.into())
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenant({})", self.0)
    }
}

impl<S: Sync> FromRequestParts<S> for Tenant {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::current())
    }
}

#[cfg(feature = "database")]
mod rows {
    use sea_orm::sea_query::IntoCondition;
    use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, DeleteMany, EntityTrait, QueryFilter, Select, UpdateMany, Value};

    use super::Tenant;

    /// An entity whose rows each belong to one tenant.
    ///
    /// ```ignore
    /// impl Tenanted for post::Entity {
    ///     const TENANT: post::Column = post::Column::Tenant;
    /// }
    /// ```
    pub trait Tenanted: EntityTrait {
        /// The column with the tenant's name: `String`, not null, and the first one of every index.
        const TENANT: Self::Column;
    }

    impl Tenant {
        /// Its rows.
        #[must_use]
        pub fn find<E: Tenanted>(&self) -> Select<E> {
            E::find().filter(self.owns::<E>())
        }

        /// Changes its rows.
        #[must_use]
        pub fn update_many<E: Tenanted>(&self) -> UpdateMany<E> {
            E::update_many().filter(self.owns::<E>())
        }

        /// Deletes its rows.
        #[must_use]
        pub fn delete_many<E: Tenanted>(&self) -> DeleteMany<E> {
            E::delete_many().filter(self.owns::<E>())
        }

        /// The condition that a row is one of its own, for joins and subqueries.
        #[must_use]
        pub fn owns<E: Tenanted>(&self) -> Condition {
            E::TENANT.eq(self.as_str()).into_condition()
        }

        /// A row that is to be inserted, with its name in it.
        #[must_use]
        pub fn stamp<A>(&self, mut row: A) -> A
        where
            A: ActiveModelTrait,
            A::Entity: Tenanted,
        {
            row.set(<A::Entity as Tenanted>::TENANT, Value::from(self.as_str()));
            row
        }
    }
}

#[cfg(feature = "database")]
pub use rows::Tenanted;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tenants_cannot_leave_their_space() {
        for name in ["a/b", "", "A", "ä", "..", "a b", "-a", "-6g", "-", &"x".repeat(65)] {
            assert!(Tenant::named(name).is_err(), "{name}");
        }
        assert_eq!(
            Tenant::named("acme-2").map(|tenant| tenant.space()).unwrap_or_default(),
            "t/acme-2/"
        );
        assert_eq!(Tenant::or_default(""), Tenant::default());
        assert_eq!(Tenant::or_default("a/b").as_str(), "-612f62");
        assert!(Tenant::named("-612f62").is_ok(), "a job reads it from a row");
        assert_eq!(
            Tenant::or_default("-61").as_str(),
            "-2d3631",
            "a caller cannot be in somebody else's"
        );
    }
}
