//! The listener: server, route table, limits, problem+json.

pub mod body;
