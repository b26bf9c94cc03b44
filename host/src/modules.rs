//! The only place that knows a module may be a shared library.

pub mod control;
pub mod endpoint;
