//! On which rows somebody may do something.

use wharf_plugin_api::services::authz::{RowScope, RowSet};

/// On which rows the caller holds a permission.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a scope that nobody looks at restricts nothing"]
pub enum Scope {
    /// On every row.
    All,
    /// On none.
    None,
    /// On some.
    Some(Narrowed),
}

/// Some rows: those of `allow` that are not in `deny`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Narrowed {
    /// Subject of the caller, whose rows `own` stands for.
    pub subject: String,
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

impl Scope {
    pub(super) fn of(found: RowScope) -> Self {
        let (allow, deny) = (Rows::of(found.allow), Rows::of(found.deny));
        if deny.all || allow.is_empty() {
            Self::None
        } else if allow.all && deny.is_empty() {
            Self::All
        } else {
            Self::Some(Narrowed {
                subject: found.subject.into(),
                allow,
                deny,
            })
        }
    }

    /// Whether it has the row of this name that belongs to this subject, if to any.
    #[must_use]
    pub fn covers(&self, name: &str, owner: Option<&str>) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Some(some) => some.allow.has(name, owner, &some.subject) && !some.deny.has(name, owner, &some.subject),
        }
    }
}

impl Rows {
    fn of(set: RowSet) -> Self {
        Self {
            all: set.all,
            own: set.own,
            names: set.names.into_iter().map(Into::into).collect(),
            globs: set.globs.into_iter().map(Into::into).collect(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && !self.own && self.names.is_empty() && self.globs.is_empty()
    }

    fn has(&self, name: &str, owner: Option<&str>, subject: &str) -> bool {
        self.all
            || (self.own && owner == Some(subject))
            || self.names.iter().any(|known| known == name)
            || self.globs.iter().any(|glob| matches(glob, name))
    }
}

/// Whether `text` matches `glob`, in which `*` stands for any text, none too. Nothing else is special.
fn matches(glob: &str, text: &str) -> bool {
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
