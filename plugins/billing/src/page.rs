//! Lists: what the caller may see of them, page by page, with how many there are.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, Select};

use crate::error::{Error, Result};
use crate::text;

/// Rows on a page when nobody says.
pub(crate) const USUAL: u32 = 50;
/// Most rows on a page.
pub(crate) const LARGEST: u32 = 200;

/// Which page.
#[derive(Clone, Debug, Default)]
pub(crate) struct Page {
    /// Id of the last row of the page before.
    after: Option<String>,
    size: u64,
}

/// One page of a list.
#[derive(Debug)]
pub(crate) struct List<T> {
    pub(crate) items: Vec<T>,
    /// For the next page; empty: there is none.
    pub(crate) next_page_token: String,
    /// Rows on all pages.
    pub(crate) total: u64,
}

impl Page {
    /// A page as it was asked for: a size of 0 is the usual one, an empty token the first page.
    pub(crate) fn of(size: u32, token: &str) -> Result<Self> {
        let after = match token {
            "" => None,
            token => Some(
                text::id(token)
                    .ok_or_else(|| Error::Invalid("found a page_token that no list gave, expected next_page_token".to_owned()))?,
            ),
        };
        let size = if size == 0 { USUAL } else { size.min(LARGEST) };
        Ok(Self {
            after,
            size: u64::from(size),
        })
    }

    /// The rows of it, oldest first, and how many rows there are on all pages.
    pub(crate) async fn read<E, C>(&self, db: &C, rows: Select<E>, id: E::Column, id_of: fn(&E::Model) -> &str) -> Result<List<E::Model>>
    where
        E: EntityTrait,
        E::Model: Send + Sync,
        C: ConnectionTrait,
    {
        let total = rows.clone().count(db).await?;
        let mut page = rows.order_by_asc(id).limit(self.size + 1);
        if let Some(after) = &self.after {
            page = page.filter(id.gt(after.as_str()));
        }
        let mut items = page.all(db).await?;
        let size = usize::try_from(self.size).unwrap_or(usize::MAX);
        let has_more = items.len() > size;
        items.truncate(size);
        let last = items.last().filter(|_| has_more);
        Ok(List {
            next_page_token: last.map(|row| id_of(row).to_owned()).unwrap_or_default(),
            items,
            total,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn sizes_are_bounded_and_tokens_are_ids() {
        let size = |asked| Page::of(asked, "").unwrap().size;
        assert_eq!((size(0), size(7), size(9000)), (50, 7, 200));
        assert!(Page::of(1, "0197a0de-0000-7000-8000-000000000000").is_ok());
        assert!(Page::of(1, "x").is_err());
    }
}
