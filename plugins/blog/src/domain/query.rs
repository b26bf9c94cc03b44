//! What people type into a search field, and what the databases are asked.

/// Most parts of a query that count.
const PARTS: usize = 16;
/// Longest query, in characters.
pub(crate) const LONGEST: usize = 200;

/// A query: every part must be there, or not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    wanted: Vec<Part>,
    unwanted: Vec<Part>,
}

/// Words in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part(Vec<String>);

impl Query {
    /// Reads any text: words, `"phrases"`, and `-` before what must not be there. There is nothing that is wrong.
    pub(crate) fn read(text: &str) -> Self {
        let mut query = Self::default();
        let mut rest = text;
        let mut parts = 0;
        while let Some(start) = rest.find(|c: char| !c.is_whitespace()) {
            rest = rest.get(start..).unwrap_or_default();
            let (is_unwanted, body) = match rest.strip_prefix('-') {
                Some(body) => (true, body),
                None => (false, rest),
            };
            let (words, after) = next(body);
            rest = after;
            if words.is_empty() {
                continue;
            }
            parts += 1;
            if parts > PARTS {
                break;
            }
            let list = if is_unwanted { &mut query.unwanted } else { &mut query.wanted };
            list.push(Part(words));
        }
        query
    }

    /// Whether it can find anything: what must not be there is not enough.
    pub(crate) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// For the MATCH of SQLite's FTS5, where `within` restricts it to rows with this word in the column `tenant`. The last word
    /// may be the beginning of one.
    pub(crate) fn fts5(&self, within: &str) -> String {
        let last = self.wanted.len().saturating_sub(1);
        let wanted: Vec<String> = self
            .wanted
            .iter()
            .enumerate()
            .map(|(place, part)| part.fts5(place == last && part.0.len() == 1))
            .collect();
        let mut text = format!(
            "tenant : \"{within}\" AND ({{title summary body tags}} : ({}))",
            wanted.join(" AND ")
        );
        if !self.unwanted.is_empty() {
            let unwanted: Vec<String> = self.unwanted.iter().map(|part| part.fts5(false)).collect();
            text = format!("({text}) NOT ({{title summary body tags}} : ({}))", unwanted.join(" OR "));
        }
        text
    }

    /// For PostgreSQL's `to_tsquery('simple', ...)`.
    pub(crate) fn tsquery(&self) -> String {
        let last = self.wanted.len().saturating_sub(1);
        let wanted = self
            .wanted
            .iter()
            .enumerate()
            .map(|(place, part)| part.tsquery(place == last && part.0.len() == 1));
        let unwanted = self.unwanted.iter().map(|part| format!("!({})", part.tsquery(false)));
        wanted.chain(unwanted).collect::<Vec<_>>().join(" & ")
    }
}

impl Part {
    /// Words have letters and digits only, so nothing in the quotes can end them.
    fn fts5(&self, is_beginning: bool) -> String {
        let star = if is_beginning { " *" } else { "" };
        format!("\"{}\"{star}", self.0.join(" "))
    }

    fn tsquery(&self, is_beginning: bool) -> String {
        let star = if is_beginning { ":*" } else { "" };
        let words: Vec<String> = self.0.iter().map(|word| format!("'{word}'{star}")).collect();
        words.join(" <-> ")
    }
}

/// The words of the next part, and what comes after it. A quote that nobody ends is ended by the text.
fn next(text: &str) -> (Vec<String>, &str) {
    if let Some(inner) = text.strip_prefix('"') {
        let (phrase, after) = inner.split_once('"').unwrap_or((inner, ""));
        return (words(phrase), after);
    }
    let end = text.find(|c: char| c.is_whitespace() || c == '"').unwrap_or(text.len());
    let (word, after) = text.split_at_checked(end.max(1)).unwrap_or((text, ""));
    (words(word), after)
}

/// `state-of-the-art` is four words in a row.
fn words(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_phrases_and_what_is_unwanted_are_told_apart() {
        let query = Query::read(r#"Rust "big data" -java -"old news" state-of-art"#);
        assert_eq!(
            query.fts5("x61"),
            "(tenant : \"x61\" AND ({title summary body tags} : (\"rust\" AND \"big data\" AND \"state of art\"))) \
             NOT ({title summary body tags} : (\"java\" OR \"old news\"))"
        );
        assert_eq!(
            query.tsquery(),
            "'rust' & 'big' <-> 'data' & 'state' <-> 'of' <-> 'art' & !('java') & !('old' <-> 'news')"
        );
        assert_eq!(Query::read("rust ser").tsquery(), "'rust' & 'ser':*");
        assert!(Query::read("rust ser").fts5("a").ends_with("(\"rust\" AND \"ser\" *))"));
    }

    #[test]
    fn signs_alone_find_nothing() {
        for text in ["", "   ", "\"", "-", "()*:^", "-rust", "\"\"", "'; DROP TABLE post --;"] {
            let is_sql = text.starts_with('\'');
            assert_eq!(Query::read(text).is_empty(), !is_sql, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_out_of_its_quotes(text in "\\PC{0,200}") {
            let query = Query::read(&text);
            for part in query.wanted.iter().chain(&query.unwanted) {
                prop_assert!(!part.0.is_empty());
                for word in &part.0 {
                    prop_assert!(word.chars().all(char::is_alphanumeric), "{word:?}");
                }
            }
            prop_assert!(query.wanted.len() + query.unwanted.len() <= PARTS);
        }
    }
}
