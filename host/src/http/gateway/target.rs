//! Request targets: what is refused, and what the module gets to see.

use bytes::Bytes;
use http::header::HOST;
use http::request::Parts;
use http::uri::PathAndQuery;
use http::{HeaderValue, Uri, Version};

/// Whether a segment of the path is `.` or `..`, with dots written out or as `%2e`.
pub(super) fn has_dot_segment(path: &str) -> bool {
    let bytes = path.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'.' | b'%')) {
        return false;
    }
    // A backslash is a separator to some file systems and URL parsers, so it ends a segment here too.
    bytes.split(|byte| matches!(byte, b'/' | b'\\')).any(is_dots)
}

/// Takes the module's prefix off, and scheme and authority with it: the module always sees `/path?query`.
/// Where the authority was in the target it becomes `Host`, as RFC 9112 3.2.2 and RFC 9113 8.3.1 say.
pub(super) fn strip(head: &mut Parts, prefix: &str) -> Option<()> {
    if let Some(authority) = head.uri.authority()
        && (head.version < Version::HTTP_2 || !head.headers.contains_key(HOST))
        && let Ok(host) = HeaderValue::from_str(authority.as_str().rsplit('@').next()?)
    {
        head.headers.insert(HOST, host);
    }
    let target = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    if prefix.is_empty() && head.uri.authority().is_none() {
        return Some(());
    }
    let rest = target.get(prefix.len()..)?;
    let rest = if rest.starts_with('/') {
        Bytes::copy_from_slice(rest.as_bytes())
    } else {
        Bytes::from(["/", rest].concat())
    };
    head.uri = Uri::from(PathAndQuery::from_maybe_shared(rest).ok()?);
    Some(())
}

/// Puts the prefix back, so that another look at the table sees what the client asked for.
pub(super) fn restore(uri: &Uri, prefix: &str) -> Option<Uri> {
    let target = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    Some(Uri::from(
        PathAndQuery::from_maybe_shared(Bytes::from([prefix, target].concat())).ok()?,
    ))
}

fn is_dots(segment: &[u8]) -> bool {
    let mut rest = segment;
    let mut dots = 0;
    while !rest.is_empty() {
        rest = match rest {
            [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] => rest,
            _ => return false,
        };
        dots += 1;
    }
    matches!(dots, 1 | 2)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn dot_segments_are_found_in_every_spelling() {
        for path in ["/a/../b", "/..", "/a/.", "/a/%2e%2E/b", "/a/.%2e", "/%2e/a", "/a\\..\\b"] {
            assert!(has_dot_segment(path), "{path}");
        }
        for path in ["/a.b/c", "/...", "/a/..b", "/%2Fa", "/a%2e", "/.well-known/x", "/"] {
            assert!(!has_dot_segment(path), "{path}");
        }
    }

    fn head(uri: &str, version: Version) -> Parts {
        let mut request = http::Request::builder().uri(uri).body(()).unwrap();
        *request.version_mut() = version;
        request.into_parts().0
    }

    #[test]
    fn the_module_sees_path_and_query_without_prefix_or_authority() {
        for (uri, prefix, seen, host) in [
            ("/greeter/a?b=c", "/greeter", "/a?b=c", None),
            ("/greeter", "/greeter", "/", None),
            ("/greeter?x", "/greeter", "/?x", None),
            ("/greeter//evil.test/a", "/greeter", "//evil.test/a", None),
            ("http://me@one.test:80/greeter/a", "/greeter", "/a", Some("one.test:80")),
            ("http://one.test/s.S/M", "", "/s.S/M", Some("one.test")),
        ] {
            let mut head = head(uri, Version::HTTP_11);
            strip(&mut head, prefix).unwrap();
            assert_eq!(head.uri.to_string(), seen);
            assert_eq!(head.headers.get(HOST).map(|host| host.to_str().unwrap()), host);
            assert!(head.uri.authority().is_none());
        }
    }

    #[test]
    fn restoring_is_the_reverse_of_stripping() {
        let mut head = head("/greeter/a?b", Version::HTTP_11);
        strip(&mut head, "/greeter").unwrap();
        assert_eq!(restore(&head.uri, "/greeter").unwrap(), "/greeter/a?b");
    }
}
