//! The shapes of names in a manifest. Each function says whether one name has its shape, and nothing else.

/// Longest module id.
const MAX_ID: usize = 40;
/// Longest name of a secret: it is a file name and part of the name of a variable.
const MAX_SECRET: usize = 64;
/// Longest dotted name, HTTP prefix or subject.
const MAX_NAME: usize = 200;
/// First path segments that the host keeps for itself.
const RESERVED_PREFIXES: [&str; 3] = ["livez", "readyz", "metrics"];

/// The host's own name: subjects and permissions that begin with it are not for modules.
const RESERVED_ID: &str = "wharf";

/// Whether `id` is a module id: `^[a-z][a-z0-9-]{0,39}$`, and not `wharf`.
#[must_use]
pub fn is_module_id(id: &str) -> bool {
    id.len() <= MAX_ID && is_word(id) && id != RESERVED_ID
}

/// Name of the symbol a module with this id exports.
#[must_use]
pub fn root_symbol(id: &str) -> String {
    format!("wharf_root_v1_{}", id.replace('-', "_"))
}

/// Whether `name` can be that of a secret: `^[a-z][a-z0-9-]{0,63}$`, not ending in `-file`, which stands for something else in
/// the names of variables.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    name.len() <= MAX_SECRET && is_word(name) && !name.ends_with("-file")
}

/// A lower-case word: `[a-z][a-z0-9-]*`.
fn is_word(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_lowercase()) && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A lower-case word that may also contain `_`: names of jobs and core services.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

/// At least two lower-case words joined by dots: permissions and event subjects.
pub(crate) fn is_dotted_name(name: &str) -> bool {
    name.len() <= MAX_NAME && name.contains('.') && name.split('.').all(is_plain_name)
}

/// What stands before the first dot.
pub(crate) fn first_segment(name: &str) -> &str {
    name.split('.').next().unwrap_or_default()
}

/// A protobuf service with its package: `greeter.v1.Greeter`.
pub(crate) fn is_grpc_service(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.contains('.')
        && name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        })
}

/// What is wrong with an HTTP prefix, if anything is.
pub(crate) fn prefix_fault(prefix: &str) -> Option<&'static str> {
    let Some(rest) = prefix.strip_prefix('/') else {
        return Some("it does not begin with /");
    };
    if prefix.len() > MAX_NAME {
        return Some("it is longer than 200 bytes");
    }
    if rest.is_empty() || rest.ends_with('/') {
        return Some("it ends with /");
    }
    let first = rest.split('/').next().unwrap_or_default();
    if RESERVED_PREFIXES.contains(&first) {
        return Some("the host answers /livez, /readyz and /metrics itself");
    }
    if first.find('.').is_some_and(|at| at > 0) {
        return Some("a first segment with a dot in it is a gRPC service");
    }
    rest.split('/').find_map(segment_fault)
}

fn segment_fault(segment: &str) -> Option<&'static str> {
    match segment {
        "" => Some("it has an empty segment"),
        "." | ".." => Some("it has a segment that is . or .."),
        _ if segment.contains(['{', '}', '*', ':']) => Some("it has template characters, and a prefix is no template"),
        _ if !segment
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~')) =>
        {
            Some("it has characters other than letters, digits, - _ . and ~")
        }
        _ => None,
    }
}

/// A path inside the author's crate: relative, with no way out of it.
pub(crate) fn is_inner_path(path: &str) -> bool {
    !path.is_empty() && !path.starts_with('/') && !path.contains(['\\', '\0']) && path.split('/').all(|part| part != "..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_id_is_a_short_lower_case_word() {
        for (id, expected) in [
            ("greeter", true),
            ("a", true),
            ("hello-module2", true),
            ("wharf", false),
            ("wharf-like", true),
            ("", false),
            ("2fast", false),
            ("-a", false),
            ("Greeter", false),
            ("a_b", false),
            ("a.b", false),
            ("a\u{1b}", false),
            ("ä", false),
        ] {
            assert_eq!(is_module_id(id), expected, "{id:?}");
        }
        assert!(is_module_id(&"a".repeat(40)));
        assert!(!is_module_id(&"a".repeat(41)));
    }

    #[test]
    fn a_prefix_is_a_plain_path_the_host_does_not_need_itself() {
        for good in ["/greeter", "/api/v1/greeter", "/.well-known/x", "/a/b.c"] {
            assert_eq!(prefix_fault(good), None, "{good}");
        }
        for bad in [
            "",
            "/",
            "greeter",
            "/greeter/",
            "/a//b",
            "/a/../b",
            "/a/{id}",
            "/a/*",
            "/:a",
            "/a b",
            "/a?b",
            "/a%2f",
            "/livez",
            "/readyz/x",
            "/metrics",
            "/greeter.v1.Greeter",
        ] {
            assert!(prefix_fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn dotted_names_and_grpc_services_need_two_parts() {
        assert!(is_dotted_name("greeter.greeting.write"));
        assert!(!is_dotted_name("greeter"));
        assert!(!is_dotted_name("greeter..write"));
        assert!(!is_dotted_name("greeter.*"));
        assert!(is_grpc_service("greeter.v1.Greeter"));
        assert!(!is_grpc_service("Greeter"));
        assert!(!is_grpc_service("greeter.v1."));
        assert!(!is_grpc_service("greeter/v1.Greeter"));
    }
}
