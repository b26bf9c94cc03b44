//! May they: the question that the listener, calls between modules and the core service `authz` ask.

use std::fmt;

pub use wharf_proto::authz::matches;

use super::principal::{Kind, Principal};

/// What something is done to.
#[derive(Clone, Copy, Debug, Default)]
pub struct Resource<'a> {
    /// Its name, such as `post/17`; empty: the permission as such, which only a rule for `*` matches.
    pub name: &'a str,
    /// Subject it belongs to, such as `user:01J...`, if anybody's.
    pub owner: Option<&'a str>,
}

/// What the rules say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Yes.
    Allow,
    /// No: a rule denies it, or none allows it.
    Deny,
    /// The rules are not known, or too old to go by: fail closed, 503.
    Unknown,
}

/// Rows that somebody may use: those of `allow` that are not in `deny`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Rows that rules allow.
    pub allow: Rows,
    /// Rows that rules deny.
    pub deny: Rows,
}

/// A set of rows, by resource name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Every row.
    pub all: bool,
    /// Rows that belong to the caller.
    pub own: bool,
    /// Rows of exactly these names.
    pub names: Vec<String>,
    /// Rows whose names match one of these, in which `*` stands for any text.
    pub globs: Vec<String>,
}

/// Why a decision is what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// One sentence.
    pub because: String,
    /// The rule that decided, in the form of a policy line, if one did.
    pub rule: Option<String>,
    /// How the caller comes to hold it: each step a binding, from the caller to the subject of the rule.
    pub path: Vec<String>,
}

/// Answers from what is in memory; never waits.
pub trait Authorizer: Send + Sync + 'static {
    /// Hears of permissions that reach beyond a tenant, before anybody is asked for them: only rules for all tenants give
    /// those. What was said once stays.
    fn reach_everywhere(&self, _permissions: &[&str]) {}

    /// Whether they may.
    fn check(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Decision;

    /// On which rows they may. `None`: the rules are not known.
    fn scope(&self, who: &Principal, permission: &str) -> Option<Scope>;

    /// Whether they may on any row at all. Routes and methods ask this: which rows, the module asks with [`Authorizer::scope`].
    fn holds(&self, who: &Principal, permission: &str) -> Decision {
        match self.scope(who, permission) {
            None => Decision::Unknown,
            Some(scope) if scope.is_empty() => Decision::Deny,
            Some(_) => Decision::Allow,
        }
    }

    /// Why they may or may not.
    fn explain(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Explanation;
}

impl Scope {
    /// Whether no row can be in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.deny.all || self.allow.is_empty()
    }
}

impl Rows {
    /// Whether no row can be in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && !self.own && self.names.is_empty() && self.globs.is_empty()
    }
}

/// Knows no rules: the host and what manifests grant, and nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoRules;

impl Authorizer for NoRules {
    fn check(&self, who: &Principal, permission: &str, _: Resource<'_>) -> Decision {
        built_in(who, permission).unwrap_or(Decision::Deny)
    }

    fn scope(&self, who: &Principal, permission: &str) -> Option<Scope> {
        let all = built_in(who, permission) == Some(Decision::Allow);
        let allow = Rows { all, ..Rows::default() };
        Some(Scope { allow, ..Scope::default() })
    }

    fn explain(&self, who: &Principal, permission: &str, resource: Resource<'_>) -> Explanation {
        Explanation {
            decision: self.check(who, permission, resource),
            because: "this host has no rules: the module authz does not run".to_owned(),
            rule: None,
            path: Vec::new(),
        }
    }
}

/// What holds whatever the rules say: the host may do everything, a module what its manifest asks for, and whoever is
/// restricted to scopes nothing beyond them. `None`: the rules decide.
#[must_use]
pub fn built_in(who: &Principal, permission: &str) -> Option<Decision> {
    let Some(identity) = who.identity() else {
        return Some(Decision::Deny);
    };
    if identity.kind == Kind::Host || identity.grants.iter().any(|glob| matches(glob, permission)) {
        return Some(Decision::Allow);
    }
    match &identity.scopes {
        Some(scopes) if !scopes.iter().any(|glob| matches(glob, permission)) => Some(Decision::Deny),
        _ => None,
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (glob, text, expected) in [
            ("*", "", true),
            ("*", "a.b", true),
            ("a", "a", true),
            ("a", "ab", false),
            ("blog.*", "blog.post.write", true),
            ("blog.*", "blog", false),
            ("*.read", "blog.post.read", true),
            ("*.read", "blog.post.write", false),
            ("a*c*e", "abcde", true),
            ("a*c*e", "ace", true),
            ("a*c*e", "aec", false),
            ("a*a", "a", false),
            ("x**y", "xy", true),
        ] {
            assert_eq!(matches(glob, text), expected, "{glob} {text}");
        }
    }

    #[test]
    fn the_host_may_and_scopes_only_take_away() {
        let about = |scopes: Option<&str>| super::super::principal::About {
            scopes: scopes.map(|scope| vec![scope.to_owned()]),
            ..Default::default()
        };
        let user = |scopes| Principal::known(Kind::User, "1", about(scopes));
        for (who, expected) in [
            (Principal::Anonymous, Some(Decision::Deny)),
            (Principal::host(), Some(Decision::Allow)),
            (Principal::module("blog", vec!["identity.*".to_owned()]), Some(Decision::Allow)),
            (Principal::module("blog", vec!["auth.*".to_owned()]), None),
            (user(None), None),
            (user(Some("identity.user.*")), None),
            (user(Some("blog.*")), Some(Decision::Deny)),
        ] {
            assert_eq!(built_in(&who, "identity.user.read"), expected, "{who:?}");
        }
    }
}
