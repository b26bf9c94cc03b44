//! The listener: server, route table, limits, problem+json.
//!
//! In reading order: [`server`] accepts connections, [`gateway`] takes each request the way DESIGN draws it
//! through [`routes`] to a module, [`problem`] says in one table what a failure looks like on the wire,
//! [`management`] holds what the host answers itself, [`openapi`] says what there is.

pub mod body;
pub mod cors;
pub mod gateway;
pub mod inbound;
pub mod management;
pub mod openapi;
pub mod outbound;
pub mod problem;
pub mod request_id;
pub mod routes;
pub mod server;
pub mod shield;
