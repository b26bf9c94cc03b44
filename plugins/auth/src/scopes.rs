//! Scopes: permissions that tokens are restricted to, as globs in which `*` stands for any text.

use crate::failure::Failure;

/// Scopes of OpenID Connect: they restrict nothing.
const PLAIN: [&str; 4] = ["openid", "profile", "email", "offline_access"];
/// Longest list that is taken.
const LONGEST: usize = 2048;

/// What a client asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// It wants an ID token.
    pub(crate) openid: bool,
    /// Permissions it wants to be restricted to; none: whatever it may have.
    pub(crate) scope: Option<String>,
}

impl Asked {
    /// Reads the parameter `scope`, and holds it against what the client may have at most; nothing there means anything.
    pub(crate) fn read(scope: Option<&str>, most: &[String]) -> Result<Self, Failure> {
        let scope = scope.unwrap_or_default();
        if scope.len() > LONGEST {
            return Err(Failure::Invalid(format!(
                "found a scope of {} bytes, expected at most {LONGEST}",
                scope.len()
            )));
        }
        let words = || scope.split_ascii_whitespace();
        let wanted: Vec<_> = words().filter(|word| !PLAIN.contains(word)).collect();
        for word in &wanted {
            is_glob(word)?;
            if !most.is_empty() && !most.iter().any(|glob| covers(glob, word)) {
                return Err(Failure::Scope((*word).to_owned()));
            }
        }
        let scope = match (wanted.is_empty(), most.is_empty()) {
            (true, true) => None,
            (true, false) => Some(most.join(" ")),
            (false, _) => Some(wanted.join(" ")),
        };
        Ok(Self {
            openid: words().any(|word| word == "openid"),
            scope,
        })
    }
}

/// Whether `word` can be a scope.
pub(crate) fn is_glob(word: &str) -> Result<(), Failure> {
    let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_' | '*');
    if word.is_empty() || word.len() > 200 || !word.chars().all(is_fine) {
        let shown: String = word.chars().take(60).collect();
        return Err(Failure::Invalid(format!(
            "found scope {shown:?}, expected a permission such as \"blog.post.read\", in which * stands for any text"
        )));
    }
    Ok(())
}

/// Whether everything that `inner` matches is matched by `outer` too. A `*` of `inner` is then a character like any other, which
/// only a `*` of `outer` can take.
pub(crate) fn covers(outer: &str, inner: &str) -> bool {
    let (outer, inner) = (outer.as_bytes(), inner.as_bytes());
    let (mut o, mut i, mut back) = (0, 0, None);
    while i < inner.len() {
        match outer.get(o) {
            Some(b'*') => {
                back = Some((o, i));
                o += 1;
            }
            Some(byte) if Some(byte) == inner.get(i) && *byte != b'*' => {
                o += 1;
                i += 1;
            }
            _ => match back {
                Some((star, at)) => {
                    back = Some((star, at + 1));
                    o = star + 1;
                    i = at + 1;
                }
                None => return false,
            },
        }
    }
    outer.iter().skip(o).all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn a_glob_covers_what_is_narrower_and_nothing_else() {
        for (outer, inner, expected) in [
            ("*", "blog.post.read", true),
            ("*", "*", true),
            ("blog.*", "blog.post.*", true),
            ("blog.*", "blog.*", true),
            ("blog.*.read", "blog.post.read", true),
            ("blog.*.read", "blog.*", false),
            ("blog.post.read", "blog.*", false),
            ("blog.post.read", "*", false),
            ("blog.*", "blog", false),
            ("blog.*", "shop.read", false),
            ("a*b*c", "aXbYbZc", true),
            ("", "", true),
        ] {
            assert_eq!(covers(outer, inner), expected, "{outer} covers {inner}");
        }
    }

    #[test]
    fn a_client_gets_at_most_what_it_is_registered_for() {
        let most = ["blog.*".to_owned()];
        let read = |scope, most: &[String]| Asked::read(scope, most);
        assert_eq!(read(None, &[]).unwrap(), Asked::default());
        assert_eq!(read(Some("openid profile"), &[]).unwrap(), Asked { openid: true, scope: None });
        assert_eq!(read(None, &most).unwrap().scope.as_deref(), Some("blog.*"));
        assert_eq!(
            read(Some("openid blog.post.read"), &most).unwrap().scope.as_deref(),
            Some("blog.post.read")
        );
        assert!(matches!(read(Some("*"), &most), Err(Failure::Scope(_))));
        assert!(matches!(read(Some("a b\u{e9}"), &[]), Err(Failure::Invalid(_))));
        assert!(read(Some(&"a ".repeat(2000)), &[]).is_err());
    }
}
