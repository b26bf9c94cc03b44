//! Macros of the Wharf SDK.
