//! The module against the embedded database: linked in, and as a library.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "database/rig.rs"]
mod rig;

#[path = "database/checks.rs"]
mod checks;
#[path = "database/handles.rs"]
mod handles;
