//! What people may write: titles, summaries, bodies, tags, comments.

/// Longest title, in characters.
pub(crate) const TITLE: usize = 200;
/// Longest summary, in characters.
pub(crate) const SUMMARY: usize = 500;
/// Longest body, in characters.
pub(crate) const BODY: usize = 100_000;
/// Longest comment, in characters.
pub(crate) const COMMENT: usize = 5_000;
/// Most tags of a post.
pub(crate) const TAGS: usize = 20;
/// Longest tag, in characters.
pub(crate) const TAG: usize = 50;

/// A text that cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    /// It is not there.
    #[error("found an empty {0}, expected at least one visible character")]
    Empty(&'static str),
    /// It is too long.
    #[error("found a {what} of {found} characters, expected at most {most}")]
    Long {
        /// What it is.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The longest there may be.
        most: usize,
    },
    /// It has a character that no text has.
    #[error("found the control character {character:?} in the {what}, expected text")]
    Control {
        /// What it is.
        what: &'static str,
        /// The character.
        character: char,
    },
    /// There are too many.
    #[error("found {0} tags, expected at most {TAGS}")]
    Tags(usize),
}

/// One line that must not be empty, without white space around it. Lengths are those of what was written.
pub(crate) fn title(text: &str) -> Result<String, Unfit> {
    let title = line("title", text, TITLE)?;
    if title.is_empty() { Err(Unfit::Empty("title")) } else { Ok(title) }
}

/// One line that may be empty.
pub(crate) fn summary(text: &str) -> Result<String, Unfit> {
    line("summary", text, SUMMARY)
}

/// Markdown. It may be empty.
pub(crate) fn body(text: &str) -> Result<String, Unfit> {
    lines("body", text, BODY)
}

/// Markdown that must not be empty.
pub(crate) fn comment(text: &str) -> Result<String, Unfit> {
    let comment = lines("comment", text, COMMENT)?.trim().to_owned();
    if comment.is_empty() {
        Err(Unfit::Empty("comment"))
    } else {
        Ok(comment)
    }
}

/// Tags in lower case, each once, in their own order.
pub(crate) fn tags<T: AsRef<str>>(texts: &[T]) -> Result<Vec<String>, Unfit> {
    if texts.len() > TAGS {
        return Err(Unfit::Tags(texts.len()));
    }
    let mut tags = texts.iter().map(|text| tag(text.as_ref())).collect::<Result<Vec<_>, _>>()?;
    tags.sort();
    tags.dedup();
    if tags.len() > TAGS {
        Err(Unfit::Tags(tags.len()))
    } else {
        Ok(tags)
    }
}

/// One tag, as it is kept: words in lower case with single spaces between.
pub(crate) fn tag(text: &str) -> Result<String, Unfit> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    let tag = line("tag", &words.join(" "), TAG)?;
    if tag.is_empty() { Err(Unfit::Empty("tag")) } else { Ok(tag) }
}

fn line(what: &'static str, text: &str, most: usize) -> Result<String, Unfit> {
    checked(what, text, most, char::is_control).map(|text| text.trim().to_owned())
}

/// Line breaks and tabs belong to a text of several lines.
fn lines(what: &'static str, text: &str, most: usize) -> Result<String, Unfit> {
    checked(what, text, most, |c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

fn checked(what: &'static str, text: &str, most: usize, is_bad: impl Fn(char) -> bool) -> Result<String, Unfit> {
    let found = text.chars().count();
    if found > most {
        return Err(Unfit::Long { what, found, most });
    }
    match text.chars().find(|c| is_bad(*c)) {
        Some(character) => Err(Unfit::Control { what, character }),
        None => Ok(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn tags_are_brought_into_one_form_and_counted_once() {
        let tags = |texts: &[&str]| tags(texts);
        assert_eq!(tags(&["Rust", " rust ", "Big  Data", "C++"]).unwrap(), ["big data", "c++", "rust"]);
        assert_eq!(tags(&[" "]).unwrap_err(), Unfit::Empty("tag"));
        let many: Vec<String> = (0..21).map(|number| format!("t{number}")).collect();
        assert_eq!(super::tags(&many).unwrap_err(), Unfit::Tags(21));
    }

    #[test]
    fn texts_are_measured_in_characters_and_have_no_control_characters() {
        assert_eq!(title(" Größe ").unwrap(), "Größe");
        assert!(title(&"ö".repeat(TITLE)).is_ok());
        assert_eq!(
            title(&"ö".repeat(TITLE + 1)).unwrap_err().to_string(),
            "found a title of 201 characters, expected at most 200"
        );
        assert!(title("a\nb").is_err() && body("a\r\n\tb").is_ok() && body("a\0b").is_err());
        assert!(comment(" \n ").is_err() && summary("").is_ok());
    }
}
