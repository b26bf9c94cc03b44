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

/// What else is to be known of a route: bits. A route with a bit the host does not know is not served.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouteFlags(pub u32);

impl RouteFlags {
    /// Whoever may not call it is told that there is no such route: 404 instead of 401 and 403.
    pub const HIDDEN: Self = Self(1);

    /// Every bit of this version.
    pub const KNOWN: Self = Self(1);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
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
    /// What else is to be known of it.
    pub flags: RouteFlags,
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
