//! What a post is called in addresses.

use super::letters;

/// Longest slug that is made of a title; a number may follow it.
const LONGEST: usize = 80;
/// Longest slug there is.
pub(crate) const LONGEST_GIVEN: usize = 100;
/// What a title without any letter gives.
const NAMELESS: &str = "post";

/// A title as a slug: lower-case ASCII letters and digits, with single hyphens between words.
///
/// Letters of Latin, Greek and Cyrillic scripts are spelled in ASCII, what has no spelling separates words. A long title ends at a
/// word. What remains empty is `post`.
pub(crate) fn of_title(title: &str) -> String {
    let mut slug = String::with_capacity(title.len());
    for letter in title.chars().flat_map(char::to_lowercase) {
        match letters::ascii(letter) {
            Some(" and ") => push_all(&mut slug, "-and-"),
            Some(" at ") => push_all(&mut slug, "-at-"),
            Some(spelled) => slug.push_str(spelled),
            None if letter.is_ascii_alphanumeric() => slug.push(letter),
            None => hyphen(&mut slug),
        }
    }
    let cut = shortened(&slug).trim_matches('-');
    if cut.is_empty() { NAMELESS.to_owned() } else { cut.to_owned() }
}

/// The slug with a number, for the second post of a title and those after it.
pub(crate) fn numbered(slug: &str, number: u32) -> String {
    match number {
        0 | 1 => slug.to_owned(),
        number => format!("{slug}-{number}"),
    }
}

/// Whether a text can be a slug at all: what cannot is not looked for.
pub(crate) fn is_slug(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= LONGEST_GIVEN && text.bytes().all(fits)
}

fn push_all(slug: &mut String, word: &str) {
    for letter in word.chars() {
        if letter == '-' { hyphen(slug) } else { slug.push(letter) }
    }
}

/// Never two in a row.
fn hyphen(slug: &mut String) {
    if !slug.is_empty() && !slug.ends_with('-') {
        slug.push('-');
    }
}

/// Cut at the last word that fits, or in the middle of a word that is longer than all.
fn shortened(slug: &str) -> &str {
    let Some((head, rest)) = slug.split_at_checked(LONGEST) else {
        return slug;
    };
    if rest.is_empty() || rest.starts_with('-') {
        return head;
    }
    head.rfind('-')
        .filter(|place| *place > LONGEST / 2)
        .map_or(head, |place| head.split_at(place).0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn titles_of_many_scripts_become_readable_slugs() {
        for (title, slug) in [
            ("Hello, World!", "hello-world"),
            ("  Rust & Go @ work  ", "rust-and-go-at-work"),
            ("Über die Größe des Gebäudes", "ueber-die-groesse-des-gebaeudes"),
            ("Crème brûlée, s’il vous plaît", "creme-brulee-sil-vous-plait"),
            ("Smørrebrød på Åland", "smorrebrod-pa-aland"),
            ("Łódź i Kraków", "lodz-i-krakow"),
            ("Đà Nẵng", "da-nang"),
            ("Ελληνικά νέα", "ellinika-nea"),
            ("Съешь ещё этих булок", "sesh-eshchyo-etikh-bulok"),
            ("cafe\u{301}", "cafe"),
            ("東京 2026", "2026"),
            ("東京", "post"),
            ("🎉🎉", "post"),
            ("", "post"),
            ("C++ is not C", "c-is-not-c"),
            ("--- a --- b ---", "a-b"),
            ("İstanbul", "istanbul"),
        ] {
            assert_eq!(of_title(title), slug, "{title:?}");
        }
    }

    #[test]
    fn a_long_title_ends_at_a_word() {
        let slug = of_title(&"word ".repeat(50));
        assert!(slug.len() <= LONGEST && slug.ends_with("-word"), "{slug}");
        assert_eq!(of_title(&"x".repeat(300)).len(), LONGEST);
        assert_eq!((numbered("a", 1), numbered("a", 2)), ("a".to_owned(), "a-2".to_owned()));
    }

    proptest! {
        #[test]
        fn every_title_gives_a_slug(title in "\\PC{0,200}") {
            let slug = of_title(&title);
            prop_assert!(is_slug(&slug), "{slug:?}");
            prop_assert!(!slug.contains("--") && !slug.starts_with('-') && !slug.ends_with('-'), "{slug:?}");
            prop_assert_eq!(of_title(&slug), slug.clone());
            prop_assert!(is_slug(&numbered(&slug, u32::MAX)));
        }
    }
}
