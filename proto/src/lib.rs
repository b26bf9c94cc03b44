//! Wharf's gRPC APIs: committed generated code and descriptor sets.
//!
//! Whoever calls or serves one of these APIs depends on this crate; nobody needs `protoc`. Modules
//! outside the repository generate the code of their own APIs with `codegen` (a feature of the same name).
//!
//! ```
//! use wharf_proto::options::v1::{Policy, policy::Kind};
//!
//! let policy = Policy { kind: Some(Kind::Require("blog.post.write".into())), rate_class: String::new() };
//! assert_eq!(policy.kind, Some(Kind::Require("blog.post.write".into())));
//! ```

pub mod analytics;
pub mod audit;
pub mod auth;
pub mod authz;
pub mod billing;
pub mod blog;
#[cfg(feature = "codegen")]
pub mod codegen;
pub mod host;
pub mod identity;
pub mod options;
pub mod pages;

/// Encoded `FileDescriptorSet` of every API in this crate, with everything they import.
pub const DESCRIPTORS: &[u8] = include_bytes!("gen/descriptors.bin");

/// The `.proto` files of this crate, as (name to import, text). They are what an `import "wharf/..."`
/// line in a module's own file resolves to.
pub const PROTO_FILES: &[(&str, &str)] = &[
    (
        "wharf/analytics/v1/analytics.proto",
        include_str!("../wharf/analytics/v1/analytics.proto"),
    ),
    ("wharf/audit/v1/audit.proto", include_str!("../wharf/audit/v1/audit.proto")),
    ("wharf/audit/v1/records.proto", include_str!("../wharf/audit/v1/records.proto")),
    ("wharf/auth/v1/api_keys.proto", include_str!("../wharf/auth/v1/api_keys.proto")),
    ("wharf/auth/v1/clients.proto", include_str!("../wharf/auth/v1/clients.proto")),
    ("wharf/auth/v1/sessions.proto", include_str!("../wharf/auth/v1/sessions.proto")),
    ("wharf/auth/v1/sources.proto", include_str!("../wharf/auth/v1/sources.proto")),
    ("wharf/authz/v1/decisions.proto", include_str!("../wharf/authz/v1/decisions.proto")),
    ("wharf/authz/v1/policy.proto", include_str!("../wharf/authz/v1/policy.proto")),
    ("wharf/authz/v1/roles.proto", include_str!("../wharf/authz/v1/roles.proto")),
    ("wharf/billing/v1/billing.proto", include_str!("../wharf/billing/v1/billing.proto")),
    ("wharf/blog/v1/blog.proto", include_str!("../wharf/blog/v1/blog.proto")),
    ("wharf/host/v1/host.proto", include_str!("../wharf/host/v1/host.proto")),
    (
        "wharf/identity/v1/credentials.proto",
        include_str!("../wharf/identity/v1/credentials.proto"),
    ),
    ("wharf/identity/v1/groups.proto", include_str!("../wharf/identity/v1/groups.proto")),
    (
        "wharf/identity/v1/registration.proto",
        include_str!("../wharf/identity/v1/registration.proto"),
    ),
    (
        "wharf/identity/v1/service_accounts.proto",
        include_str!("../wharf/identity/v1/service_accounts.proto"),
    ),
    (
        "wharf/identity/v1/tenants.proto",
        include_str!("../wharf/identity/v1/tenants.proto"),
    ),
    ("wharf/identity/v1/users.proto", include_str!("../wharf/identity/v1/users.proto")),
    ("wharf/options/v1/policy.proto", include_str!("../wharf/options/v1/policy.proto")),
];
