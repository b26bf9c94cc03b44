//! Greets people: a module with HTTP routes and a gRPC service.

/// The module's gRPC API, generated from `proto/greeter/v1/greeter.proto`.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/greeter.v1.rs");
}
