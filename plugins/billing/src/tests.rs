//! The module in a host.
