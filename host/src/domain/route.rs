//! A route as the host sees it: what matches, and under which policy.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which of a module's two services a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// The axum router; the module's prefix has been stripped.
    Http,
    /// The tonic services; the path is `/<package.Service>/<Method>`.
    Grpc,
}

/// Who may call. There is no default: a route without a policy is not served.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Policy {
    /// Anyone.
    Public,
    /// Anyone who is authenticated.
    Authenticated,
    /// Whoever holds this permission.
    Require(String),
}

/// One HTTP route of a module, relative to the module's prefix.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// Upper-case method, or `*` for every method.
    pub method: String,
    /// axum/matchit template such as `/posts/{id}`; `/files/{*path}` matches a subtree.
    pub template: String,
    /// Who may call it.
    pub policy: Policy,
    /// Name of the rate class, if the route has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_class: Option<String>,
    /// Whoever may not call it is answered as if there were no such route.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// One gRPC method of a module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GrpcMethod {
    /// `package.Service`.
    pub service: String,
    /// Method name.
    pub method: String,
    /// Who may call it.
    pub policy: Policy,
    /// Name of the rate class, if it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate_class: Option<String>,
}
