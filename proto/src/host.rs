//! What a host says about itself: `wharf.host.v1.Host`.

/// Version 1.
pub mod v1 {
    #![allow(
        missing_docs,
        unreachable_pub,
        clippy::all,
        clippy::allow_attributes_without_reason,
        reason = "generated code"
    )]

    include!("gen/wharf.host.v1.rs");
}
