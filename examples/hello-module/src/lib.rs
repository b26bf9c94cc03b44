//! A Wharf module.
