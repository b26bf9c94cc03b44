//! gRPC at the edge: health, reflection, JSON transcoding.

pub mod connect;
pub mod timeout;
