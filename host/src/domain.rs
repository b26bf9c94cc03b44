//! Pure rules: no I/O, no runtime. What a route, a finding, a state and a status are.

pub mod finding;
pub mod graph;
pub mod lifecycle;
pub mod migration;
pub mod route;
pub mod status;
pub mod trust;
