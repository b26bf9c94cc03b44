//! Lists in pages: every `List` of these APIs takes `page_size` and `page_token` and answers with `next_page_token`.

/// Rows of a page when nothing is said.
pub const USUAL: u32 = 50;
/// Rows of a page at most.
pub const MOST: u32 = 500;

/// How many rows a page has, for what was asked.
#[must_use]
pub fn size(asked: u32) -> usize {
    let size = if asked == 0 { USUAL } else { asked.min(MOST) };
    usize::try_from(size).unwrap_or(usize::MAX)
}

/// Cuts rows that were read with at least one more than the page has; gives the token of the next page, which is made of the last
/// row that stays. Empty: there is no next page.
pub fn cut<T>(rows: &mut Vec<T>, size: usize, token: impl FnOnce(&T) -> String) -> String {
    if rows.len() <= size {
        return String::new();
    }
    rows.truncate(size);
    rows.last().map(token).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_what_was_asked_within_limits() {
        assert_eq!([0, 7, 500, 501, u32::MAX].map(size), [50, 7, 500, 500, 500]);
    }

    #[test]
    fn a_next_page_is_told_only_when_there_is_one() {
        let mut rows = vec![1, 2, 3];
        assert_eq!(cut(&mut rows, 2, ToString::to_string), "2");
        assert_eq!(rows, [1, 2]);
        assert_eq!(cut(&mut rows, 2, ToString::to_string), "");
        assert_eq!(cut(&mut Vec::new(), 2, i32::to_string), "");
    }
}
