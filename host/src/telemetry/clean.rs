//! Text from elsewhere, made safe for a terminal.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Replaces control characters, and characters that reorder text, by visible escapes: a log line stays one line and
/// cannot move a cursor, change a colour or hide what follows.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut cleaned = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => cleaned.push_str("\\n"),
            '\r' => cleaned.push_str("\\r"),
            '\t' => cleaned.push_str("\\t"),
            // Writing to a String cannot fail.
            c if is_unsafe(c) => {
                let _ = write!(cleaned, "\\u{{{:x}}}", u32::from(c));
            }
            c => cleaned.push(c),
        }
    }
    Cow::Owned(cleaned)
}

fn is_unsafe(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_become_visible_and_the_rest_stays() {
        assert!(matches!(clean("plain, ünïcode"), Cow::Borrowed(_)));
        assert_eq!(clean("a\nb\u{1b}[31mc\u{202e}d\u{9b}"), "a\\nb\\u{1b}[31mc\\u{202e}d\\u{9b}");
    }
}
