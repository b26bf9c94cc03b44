//! Who is calling.

/// Who is calling. A later authenticator adds users and service accounts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Principal {
    /// Nobody in particular.
    #[default]
    Anonymous,
}
