//! What a post says in short, and how long it takes to read.

/// Words a person reads in a minute.
const WORDS_A_MINUTE: usize = 220;
/// Characters of a script without spaces that a person reads in a minute.
const SIGNS_A_MINUTE: usize = 500;
/// Longest excerpt, in characters.
const EXCERPT: usize = 240;

/// Minutes it takes to read a text: at least one.
pub(crate) fn minutes(text: &str) -> u32 {
    let signs = text.chars().filter(|c| is_sign(*c)).count();
    let words = text
        .split(|c: char| c.is_whitespace() || is_sign(c))
        .filter(|word| word.chars().any(char::is_alphanumeric))
        .count();
    // Both parts round together.
    let minutes = (words * SIGNS_A_MINUTE + signs * WORDS_A_MINUTE).div_ceil(WORDS_A_MINUTE * SIGNS_A_MINUTE);
    u32::try_from(minutes).unwrap_or(u32::MAX).max(1)
}

/// The beginning of a text, ended at a sentence if one ends late enough, else at a word.
pub(crate) fn excerpt(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let Some((end, _)) = text.char_indices().nth(EXCERPT) else {
        return text;
    };
    let head = text.split_at(end).0;
    let sentence = head.rmatch_indices(['.', '!', '?', '。']).map(|(place, mark)| place + mark.len());
    if let Some(end) = sentence.into_iter().find(|end| *end > head.len() / 2 && ends_here(head, *end)) {
        return head.split_at(end).0.to_owned();
    }
    let cut = head.rfind(' ').map_or(head, |place| head.split_at(place).0);
    format!("{}…", cut.trim_end_matches([',', ';', ':', '-', ' ']))
}

/// A sentence ends before a space, not in the middle of `3.14`.
fn ends_here(head: &str, end: usize) -> bool {
    head.get(end..).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

/// Ideographs and syllables that are written without spaces.
fn is_sign(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{20000}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_time_counts_words_and_signs() {
        assert_eq!((minutes(""), minutes("one two"), minutes(&"word ".repeat(220))), (1, 1, 1));
        assert_eq!((minutes(&"word ".repeat(441)), minutes(&"字".repeat(1500))), (3, 3));
        assert_eq!(minutes(&"- ".repeat(5000)), 1);
    }

    #[test]
    fn an_excerpt_ends_at_a_sentence_or_a_word() {
        assert_eq!(excerpt("Short.\n\n Text"), "Short. Text");
        let sentences = format!("{} The end. {}", "a".repeat(150), "b".repeat(200));
        assert!(excerpt(&sentences).ends_with("The end."));
        let words = "word ".repeat(100);
        let cut = excerpt(&words);
        assert!(cut.ends_with("word…") && cut.chars().count() <= EXCERPT + 1, "{cut}");
        assert!(excerpt(&"ö".repeat(500)).chars().count() <= EXCERPT + 1);
    }
}
