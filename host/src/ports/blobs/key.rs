//! Names of blobs, chosen so that every store keeps them as they are and none of them leads out of its space.

use std::fmt;

use super::BlobError;

/// Longest key.
const MOST: usize = 512;
/// Longest segment: a file name in the directory, with room for what is added to it.
const MOST_IN_SEGMENT: usize = 200;

/// A name of a blob: segments of ASCII letters, digits and `-_.=@+,`, separated by `/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

impl Key {
    /// Checks a name.
    ///
    /// # Errors
    /// [`BlobError::Invalid`] with what was found and what is expected.
    pub fn parse(text: &str) -> Result<Self, BlobError> {
        let wrong = |why: &str| Err(BlobError::Invalid(format!("found key {text:?}: {why}")));
        if text.is_empty() || text.len() > MOST {
            return wrong("expected 1 to 512 bytes");
        }
        for segment in text.split('/') {
            if segment.is_empty() || segment == "." || segment == ".." {
                return wrong("expected segments between single `/`, none of them `.` or `..`");
            }
            if segment.len() > MOST_IN_SEGMENT {
                return wrong("expected at most 200 bytes between two `/`");
            }
            if !segment.bytes().all(is_allowed) {
                return wrong("expected ASCII letters, digits and `-_.=@+,`; encode anything else");
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks the beginning of a key.
///
/// # Errors
/// [`BlobError::Invalid`] when no key begins like this.
pub fn check_prefix(prefix: &str) -> Result<(), BlobError> {
    let is_one = prefix.len() <= MOST
        && prefix.bytes().all(|byte| byte == b'/' || is_allowed(byte))
        && !prefix.starts_with('/')
        && !prefix.contains("//")
        && !prefix
            .rsplit_once('/')
            .is_some_and(|(folders, _)| folders.split('/').any(|folder| folder == "." || folder == ".."));
    if is_one {
        return Ok(());
    }
    Err(BlobError::Invalid(format!(
        "found prefix {prefix:?}, expected the beginning of a key"
    )))
}

fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-_.=@+,".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_lead_elsewhere_are_refused() {
        let long = "a".repeat(201);
        for wrong in [
            "",
            "/",
            "/a",
            "a/",
            "a//b",
            ".",
            "..",
            "a/../b",
            "a/./b",
            "a\\b",
            "a\0b",
            "a b",
            "é",
            "a#b",
            "a%2e",
            "a?b",
            "~",
            &long,
            &"a/".repeat(300),
        ] {
            assert!(Key::parse(wrong).is_err(), "{wrong:?}");
        }
        for right in ["a", "a/b", "...", "a.b", ".a", "users/1/avatar@2x.png", "a=b,c+d_e-f"] {
            assert!(Key::parse(right).is_ok(), "{right:?}");
        }
    }

    #[test]
    fn a_prefix_is_the_beginning_of_a_key() {
        for right in ["", "a", "a/", "a/b", "a/."] {
            assert!(check_prefix(right).is_ok(), "{right:?}");
        }
        for wrong in ["/", "a//", "../", "a/../b", "a#"] {
            assert!(check_prefix(wrong).is_err(), "{wrong:?}");
        }
    }
}
