//! Roles and rules: `wharf.authz.v1`, and what rules mean.

/// Version 1.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/wharf.authz.v1.rs");
}

/// What rules and bindings mean, as a model of casbin. The module edits by it, and a test holds the host's compiled form against
/// it. `glob` is [`matches()`]; domains of `g` match as `p.dom` does here.
pub const MODEL: &str = r#"[request_definition]
r = sub, dom, act, obj, owner

[policy_definition]
p = sub, dom, act, obj, eft

[role_definition]
g = _, _, _

[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))

[matchers]
m = (p.dom == "*" || p.dom == r.dom) && glob(p.act, r.act) && ((p.obj == "own" && r.owner == r.sub) || (p.obj != "own" && glob(p.obj, r.obj))) && g(r.sub, p.sub, r.dom)
"#;

/// Whether `text` matches `glob`, in which `*` stands for any text, none too. Nothing else is special.
#[must_use]
pub fn matches(glob: &str, text: &str) -> bool {
    let Some((start, rest)) = glob.split_once('*') else {
        return glob == text;
    };
    let Some(mut text) = text.strip_prefix(start) else {
        return false;
    };
    let mut rest = rest;
    while let Some((middle, further)) = rest.split_once('*') {
        let Some(place) = text.find(middle) else { return false };
        text = text.get(place + middle.len()..).unwrap_or_default();
        rest = further;
    }
    text.len() >= rest.len() && text.ends_with(rest)
}
