//! From the list of routes that a module exports to those that are served.

use wharf_plugin_api::exports::http::{HttpRoute, PolicyKind, RouteFlags};

use crate::domain::route::{Policy, Route};

/// The route, or its name when it is not served: it has no policy, or says something that this host does not know, which may take
/// away what it would give.
pub(super) fn served(route: HttpRoute) -> Result<Route, String> {
    let policy = match RouteFlags::KNOWN.has(route.flags) {
        true => policy(route.policy, &route.permission),
        false => None,
    };
    match policy {
        Some(policy) => Ok(Route {
            method: route.method.into(),
            template: route.template.into(),
            policy,
            rate_class: Some(route.rate_class.into_string()).filter(|class| !class.is_empty()),
            hidden: route.flags.has(RouteFlags::HIDDEN),
        }),
        None => Err(format!("{} {}", route.method, route.template)),
    }
}

fn policy(kind: PolicyKind, permission: &str) -> Option<Policy> {
    match kind {
        PolicyKind::PUBLIC => Some(Policy::Public),
        PolicyKind::AUTHENTICATED => Some(Policy::Authenticated),
        PolicyKind::REQUIRE if !permission.is_empty() => Some(Policy::Require(permission.to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]
    use super::*;

    #[test]
    fn a_route_is_served_as_it_says_and_not_at_all_when_it_says_what_is_not_known() {
        let listed = |policy, permission: &str, flags| HttpRoute {
            method: "GET".into(),
            template: "/posts".into(),
            policy,
            permission: permission.into(),
            rate_class: "".into(),
            flags: RouteFlags(flags),
        };
        for (route, expected) in [
            (listed(PolicyKind::PUBLIC, "", 0), Ok((Policy::Public, false))),
            (listed(PolicyKind::AUTHENTICATED, "", 1), Ok((Policy::Authenticated, true))),
            (listed(PolicyKind::REQUIRE, "a.b", 1), Ok((Policy::Require("a.b".to_owned()), true))),
            (listed(PolicyKind::REQUIRE, "", 0), Err(())),
            (listed(PolicyKind::NONE, "", 0), Err(())),
            (listed(PolicyKind(9), "", 0), Err(())),
            // Bits of a later version, with and without those that are known.
            (listed(PolicyKind::PUBLIC, "", 2), Err(())),
            (listed(PolicyKind::PUBLIC, "", 3), Err(())),
            (listed(PolicyKind::PUBLIC, "", 1 << 31), Err(())),
        ] {
            let found = served(route.clone());
            match (&found, &expected) {
                (Ok(found), Ok((policy, hidden))) => assert_eq!((&found.policy, found.hidden), (policy, *hidden), "{route:?}"),
                (Err(name), Err(())) => assert_eq!(name, "GET /posts"),
                _ => panic!("{route:?}: found {found:?}, expected {expected:?}"),
            }
        }
    }
}
