//! Which events are logged: `info,wharf_host::http=debug,blog=trace`.

use std::collections::BTreeMap;
use std::fmt;

use tracing::Level;
use tracing::level_filters::LevelFilter;

/// A default level and levels for targets. A target is a Rust module path of the host, or the id of a Wharf module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directives {
    default: LevelFilter,
    targets: BTreeMap<String, LevelFilter>,
}

/// A directive that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectiveError {
    /// Not a level.
    #[error("found level {found:?} in {directive:?}, expected one of off, error, warn, info, debug, trace")]
    Level {
        /// What stands in its place.
        found: String,
        /// The whole directive.
        directive: String,
    },
    /// Not a target.
    #[error("found target {found:?} in {directive:?}, expected a module id or a path such as wharf_host::http")]
    Target {
        /// What stands in its place.
        found: String,
        /// The whole directive.
        directive: String,
    },
    /// Nothing at all.
    #[error("found no directive, expected something like \"info,blog=debug\"")]
    Empty,
}

impl Directives {
    /// Reads directives over the default `info`.
    ///
    /// # Errors
    /// [`DirectiveError`] for the first directive that cannot be understood.
    pub fn parse(text: &str) -> Result<Self, DirectiveError> {
        Self {
            default: LevelFilter::INFO,
            targets: BTreeMap::new(),
        }
        .with(text)
    }

    /// These directives with others laid over them: what is not mentioned stays.
    ///
    /// # Errors
    /// [`DirectiveError`] for the first directive that cannot be understood.
    pub fn with(&self, text: &str) -> Result<Self, DirectiveError> {
        let mut merged = self.clone();
        let mut any = false;
        for directive in text.split(',').map(str::trim).filter(|d| !d.is_empty()) {
            any = true;
            match directive.split_once('=') {
                None => merged.default = level(directive, directive)?,
                Some((target, name)) => {
                    let target = target.trim();
                    if target.is_empty() || !target.chars().all(|c| c.is_ascii_alphanumeric() || "_-:.".contains(c)) {
                        return Err(DirectiveError::Target {
                            found: target.to_owned(),
                            directive: directive.to_owned(),
                        });
                    }
                    merged.targets.insert(target.to_owned(), level(name.trim(), directive)?);
                }
            }
        }
        if any { Ok(merged) } else { Err(DirectiveError::Empty) }
    }

    /// Whether an event of the host is logged: the longest target that is the event's target or a parent of it decides.
    #[must_use]
    pub fn allows(&self, target: &str, level: Level) -> bool {
        level <= self.level_of(target)
    }

    /// Whether an event of a module is logged: a directive for its target decides, then one for the module's id, then the default.
    #[must_use]
    pub fn allows_module(&self, module: &str, target: &str, level: Level) -> bool {
        let decided = self.longest(target).or_else(|| self.targets.get(module).copied());
        level <= decided.unwrap_or(self.default)
    }

    /// The most verbose level at which anything of a module may be logged.
    #[must_use]
    pub fn level_of_module(&self, module: &str) -> LevelFilter {
        let own = self.targets.get(module).copied().unwrap_or(self.default);
        // The targets of a module begin with the name of its crate.
        let name = module.replace('-', "_");
        self.targets
            .iter()
            .filter(|(target, _)| is_parent(&name, target))
            .map(|(_, level)| *level)
            .fold(own, LevelFilter::max)
    }

    /// The most verbose level of all.
    #[must_use]
    pub fn most_verbose(&self) -> LevelFilter {
        self.targets.values().copied().fold(self.default, LevelFilter::max)
    }

    fn level_of(&self, target: &str) -> LevelFilter {
        self.longest(target).unwrap_or(self.default)
    }

    fn longest(&self, target: &str) -> Option<LevelFilter> {
        self.targets
            .iter()
            .filter(|(parent, _)| is_parent(parent, target))
            .max_by_key(|(parent, _)| parent.len())
            .map(|(_, level)| *level)
    }
}

impl fmt::Display for Directives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.default)?;
        self.targets.iter().try_for_each(|(target, level)| write!(f, ",{target}={level}"))
    }
}

/// `a::b` is a parent of itself and of `a::b::c`, not of `a::bc`.
fn is_parent(parent: &str, target: &str) -> bool {
    target
        .strip_prefix(parent)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn level(name: &str, directive: &str) -> Result<LevelFilter, DirectiveError> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "off" => LevelFilter::OFF,
        "error" => LevelFilter::ERROR,
        "warn" => LevelFilter::WARN,
        "info" => LevelFilter::INFO,
        "debug" => LevelFilter::DEBUG,
        "trace" => LevelFilter::TRACE,
        _ => {
            return Err(DirectiveError::Level {
                found: name.to_owned(),
                directive: directive.to_owned(),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn the_longest_matching_target_decides() {
        let d = Directives::parse("warn, wharf_host=info, wharf_host::http=trace").unwrap();
        assert!(d.allows("wharf_host::http::server", Level::TRACE));
        assert!(d.allows("wharf_host::modules", Level::INFO));
        assert!(!d.allows("wharf_host::httpx", Level::DEBUG));
        assert!(!d.allows("sqlx", Level::INFO));
        assert_eq!(d.most_verbose(), LevelFilter::TRACE);
    }

    #[test]
    fn a_module_is_named_by_its_id_and_its_targets_by_their_paths() {
        let d = Directives::parse("info,my-blog=warn,my_blog::db=debug").unwrap();
        assert_eq!(d.level_of_module("my-blog"), LevelFilter::DEBUG);
        assert_eq!(d.level_of_module("other"), LevelFilter::INFO);
        assert!(d.allows_module("my-blog", "my_blog::db::pool", Level::DEBUG));
        assert!(!d.allows_module("my-blog", "my_blog::http", Level::INFO));
        assert!(d.allows_module("other", "sqlx", Level::INFO));
    }

    #[test]
    fn new_directives_are_laid_over_old_ones() {
        let d = Directives::parse("info,blog=trace").unwrap().with("billing=debug").unwrap();
        assert_eq!(d.to_string(), "info,billing=debug,blog=trace");
        assert_eq!(d.with("error,blog=off").unwrap().to_string(), "error,billing=debug,blog=off");
    }

    #[test]
    fn mistakes_say_what_was_found() {
        assert_eq!(
            Directives::parse("loud").unwrap_err(),
            DirectiveError::Level {
                found: "loud".into(),
                directive: "loud".into()
            }
        );
        assert!(Directives::parse("bl og=info").unwrap_err().to_string().contains("\"bl og\""));
        assert_eq!(Directives::parse(" , ").unwrap_err(), DirectiveError::Empty);
    }
}
