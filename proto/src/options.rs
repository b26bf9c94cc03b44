//! Options for methods, messages and fields in `.proto` files.

/// Version 1: the policy of a gRPC method.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/wharf.options.v1.rs");

    /// Field number of the extension `policy` in `google.protobuf.MethodOptions`.
    pub const POLICY_EXTENSION_NUMBER: u32 = 50901;

    /// Full name of the extension, as written in `option (wharf.options.v1.policy) = ...`.
    pub const POLICY_EXTENSION_NAME: &str = "wharf.options.v1.policy";
}
