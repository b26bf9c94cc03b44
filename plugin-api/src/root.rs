//! The frozen root of ABI 1: the one symbol of an image, and what stands behind it.

use abi_stable::StableAbi;
use abi_stable::library::{CheckTypeLayout, LibHeader, RootModule, RootModuleResult};
use abi_stable::package_version_strings;
use abi_stable::prefix_type::{PrefixRefTrait, PrefixTypeTrait};
use abi_stable::sabi_types::VersionStrings;
use abi_stable::std_types::{RResult, RSlice};

use crate::future::FfiFuture;
use crate::host::HostRef;
use crate::module::ModuleRef;

/// A version of the ABI. Only the same major can talk; a host's minor must be at least the module's.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbiVersion {
    /// Changes when the root changes, which is never planned.
    pub major: u16,
    /// Grows when core services or exports are added.
    pub minor: u16,
}

/// The ABI this crate describes.
pub const ABI: AbiVersion = AbiVersion { major: 1, minor: 0 };

/// Whether shapes may still change: a draft loads only with a host of the same draft. ABI 1.0 is frozen.
pub const ABI_DRAFT: bool = false;

/// How an image came into the process.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, Debug, PartialEq, Eq)]
pub struct Linkage(pub u8);

impl Linkage {
    /// From a shared library: the image has its own copy of std, tokio and tracing.
    pub const DYNAMIC: Self = Self(0);
    /// Linked into the program: hook, dispatcher and runtime are the host's.
    pub const STATIC: Self = Self(1);
}

/// The root of an image. Frozen: no field is ever added, removed or changed in ABI 1.
///
/// Who calls: the host, on any thread. Who owns: everything here is `'static` in the image, which is never unmapped.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = Root_Ref)))]
#[sabi(missing_field(panic))]
pub struct Root {
    /// ABI the image was built for.
    pub abi: AbiVersion,
    /// The embedded manifest section (see `wharf-manifest`), the same bytes as in the file.
    pub manifest: extern "C" fn() -> RSlice<'static, u8>,
    /// Makes one instance. May be called any number of times; instances are independent. The future is polled by the
    /// host's runtime and may import services from the given host. An error is a [`Fault`](crate::Fault) that says why
    /// the module could not be made; a panic inside arrives as one too.
    #[sabi(last_prefix_field)]
    pub create: extern "C" fn(HostRef, Linkage) -> FfiFuture<ModuleRef>,
}

impl RootModule for Root_Ref {
    abi_stable::declare_root_module_statics! {Root_Ref}
    const BASE_NAME: &'static str = "wharf_module";
    const NAME: &'static str = "wharf_module";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// Builds the header that stands behind the root symbol. Called by `export_module!`, in a `static`.
///
/// # Safety
/// `constructor` must return what [`root_result`] returns.
#[must_use]
pub const unsafe fn header(constructor: extern "C" fn() -> RootModuleResult) -> LibHeader {
    // SAFETY: the caller promises that the constructor yields a `Root_Ref`, which is what the type says.
    unsafe { LibHeader::from_constructor::<Root_Ref>(constructor, CheckTypeLayout::Yes) }
}

/// Turns a root into what the header's constructor returns.
#[must_use]
pub fn root_result(root: Root_Ref) -> RootModuleResult {
    // SAFETY: `RootModule` is implemented for `Root_Ref`, and the host reads it back with that type only after the
    // layouts were compared.
    RResult::ROk(unsafe { root.to_prefix_ref().cast() })
}

/// Leaks a root, as roots live as long as their image.
#[must_use]
pub fn leak(root: Root) -> Root_Ref {
    root.leak_into_prefix()
}
