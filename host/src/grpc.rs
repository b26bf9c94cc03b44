//! gRPC at the edge: health, reflection, policies from descriptors, JSON transcoding.
//!
//! [`surfaces`] serves health and reflection from the route table of the moment, so both follow modules as they
//! come and go. [`policy`] reads who may call a method from the module's descriptors. [`connect`] lets clients call
//! unary methods with JSON.

pub mod connect;
pub mod health;
pub mod policy;
mod reflection;
mod status;
pub mod surfaces;
pub mod timeout;
