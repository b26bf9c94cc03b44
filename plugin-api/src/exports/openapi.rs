//! `openapi`: what a module says of its HTTP routes, for documentation. The host serves by the export `http` alone.

use abi_stable::StableAbi;
use abi_stable::std_types::RString;

/// The export. Asked once, after the instance was made.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct OpenApiExport {
    /// An OpenAPI 3.1 document as JSON. Paths are relative to the module's prefix. Operations that are no routes are left out by
    /// the host, and so is a document that cannot be read.
    pub document: RString,
}
