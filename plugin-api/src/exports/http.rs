//! `http`: an axum router and tonic services as one table, and the list of routes with their policies.

use abi_stable::StableAbi;
use abi_stable::std_types::{RString, RVec};

use crate::http::FfiService;

/// Who may call a route. Unknown values are not served.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyKind(pub u8);

impl PolicyKind {
    /// Nobody: the module gave no policy.
    pub const NONE: Self = Self(0);
    /// Anyone.
    pub const PUBLIC: Self = Self(1);
    /// Anyone who is authenticated.
    pub const AUTHENTICATED: Self = Self(2);
    /// Whoever holds the permission.
    pub const REQUIRE: Self = Self(3);
}

/// One route of the HTTP lane.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct HttpRoute {
    /// Upper case, or `*` for every method.
    pub method: RString,
    /// Template relative to the prefix: `/posts/{id}`, `/files/{*path}`.
    pub template: RString,
    /// Who may call it.
    pub policy: PolicyKind,
    /// The permission for [`PolicyKind::REQUIRE`].
    pub permission: RString,
    /// Name of a rate class; empty: the default one.
    pub rate_class: RString,
}

/// The export. Owned by the host; dropping it drops the module's routers.
#[repr(C)]
#[derive(StableAbi, Debug)]
pub struct HttpExport {
    /// Takes requests of both lanes.
    pub service: FfiService,
    /// Routes of the HTTP lane. The policies of the gRPC lane are options in the descriptor set of the manifest.
    pub routes: RVec<HttpRoute>,
}
