//! The only place that knows a module may be a shared library.

pub mod control;
pub mod endpoint;

pub mod os;

pub mod discover;
pub mod place;
pub mod trust;

pub mod inspect;
pub mod verify;

pub mod plan;
