//! Pages of lists: how large they are, and where the next one begins.

/// Rows of a page when nobody says.
pub(crate) const USUAL: u32 = 20;
/// Most rows of a page.
pub(crate) const LARGEST: u32 = 100;

/// A token that none of our answers gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("found a page_token that no answer gave, expected the next_page_token of the page before")]
pub(crate) struct BadToken;

/// Where a page begins: after the row with this time and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) time: i64,
    pub(crate) id: String,
}

impl Place {
    /// None for the first page.
    pub(crate) fn read(token: &str) -> Result<Option<Self>, BadToken> {
        if token.is_empty() {
            return Ok(None);
        }
        let (time, id) = token.split_once('.').ok_or(BadToken)?;
        let fits = |byte: u8| byte.is_ascii_hexdigit() || byte == b'-';
        if id.is_empty() || id.len() > 36 || !id.bytes().all(fits) {
            return Err(BadToken);
        }
        Ok(Some(Self {
            time: time.parse().map_err(|_| BadToken)?,
            id: id.to_owned(),
        }))
    }

    /// As clients see it; they are not to read it.
    pub(crate) fn token(&self) -> String {
        format!("{}.{}", self.time, self.id)
    }
}

/// Rows of a page, by what was asked for.
pub(crate) fn size(asked: u32) -> u64 {
    match asked {
        0 => u64::from(USUAL),
        asked => u64::from(asked.min(LARGEST)),
    }
}

/// Cuts what was read with one row more than the page has; gives the token of the next page, empty on the last one.
pub(crate) fn cut<T>(rows: &mut Vec<T>, size: u64, token: impl Fn(&T) -> String) -> String {
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    if rows.len() <= size {
        return String::new();
    }
    rows.truncate(size);
    rows.last().map(token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_place_and_others_are_refused() {
        let place = Place {
            time: 1_700_000_000_123,
            id: "0197a3c2-0000-7000-8000-000000000001".to_owned(),
        };
        assert_eq!(Place::read(&place.token()), Ok(Some(place)));
        assert_eq!(Place::read(""), Ok(None));
        for bad in [
            "x",
            "1",
            "1.",
            ".a",
            "1.é",
            "1.a\0",
            "99999999999999999999.a",
            "1.abc'--",
            &format!("1.{}", "a".repeat(37)),
        ] {
            assert_eq!(Place::read(bad), Err(BadToken), "{bad:?}");
        }
    }

    #[test]
    fn pages_have_their_sizes() {
        assert_eq!((size(0), size(7), size(5000)), (20, 7, 100));
        let mut rows = vec![1, 2, 3];
        assert_eq!((cut(&mut rows, 2, ToString::to_string), rows.len()), ("2".to_owned(), 2));
    }
}
