//! Stage 6: opens a library, compares header, layout and manifest. From here on code of the module runs.

use std::ffi::CStr;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use wharf_manifest::Manifest;
use wharf_plugin_api::abi_stable::StableAbi;
use wharf_plugin_api::abi_stable::library::AbiHeaderRef;
use wharf_plugin_api::guard;
use wharf_plugin_api::layout;
use wharf_plugin_api::root::{Linkage, Root_Ref};

/// The last count of pthread keys, and the generation it was made at.
static COUNTED: Mutex<Option<(u64, u64)>> = Mutex::new(None);
/// Libraries opened since the process started; none is ever unmapped.
static GENERATIONS: AtomicU64 = AtomicU64::new(0);

/// Code of a module that is in the process: a library that was opened, or a part of the program.
#[derive(Clone)]
pub struct Image {
    /// The frozen root.
    pub root: Root_Ref,
    /// Its manifest.
    pub manifest: Arc<Manifest>,
    /// Encoded `FileDescriptorSet`; empty when there is none.
    pub descriptors: Arc<[u8]>,
    /// How it came here.
    pub linkage: Linkage,
    /// Counted from 1 over the whole process.
    pub generation: u64,
}

/// What stage 6 needs to know.
#[derive(Clone, Debug)]
pub struct Opening<'a> {
    /// The private copy, under a name that was never used before.
    pub copy: &'a Path,
    /// What stage 3 read from the file.
    pub manifest: &'a Manifest,
    /// Descriptor set from the file.
    pub descriptors: &'a [u8],
    /// pthread keys that must be left.
    pub reserve_thread_keys: u64,
}

/// Why a library could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The process runs out of pthread keys, of which each generation takes one for good.
    #[error("only {left} pthread keys are left in this process and {reserve} are kept in reserve")]
    ThreadKeys {
        /// Keys that are left.
        left: u64,
        /// Keys kept in reserve.
        reserve: u64,
    },
    /// The dynamic linker refused.
    #[error("the dynamic linker refused: {0}")]
    Linker(String),
    /// The root symbol is not there.
    #[error("the root symbol {0} is not there")]
    NoRoot(String),
    /// The header is not one of abi_stable 0.11.
    #[error("the header behind the root symbol is not valid: {0}")]
    Header(String),
    /// The layout of the root differs.
    #[error("{message}")]
    Layout {
        /// One line.
        message: String,
        /// The whole comparison, for the log.
        detail: String,
    },
    /// The dynamic linker gave another library than the one asked for.
    #[error("the dynamic linker gave {found} instead of {asked}")]
    OtherLibrary {
        /// File behind the symbol.
        found: String,
        /// File asked for.
        asked: String,
    },
    /// The manifest in memory is not the one in the file.
    #[error("the manifest that the library returns is not the one in its file: {0}")]
    Manifest(String),
    /// The code that makes the root panicked.
    #[error("the library panicked while it was opened: {0}")]
    Panicked(String),
}

impl OpenError {
    /// Stable, dotted.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ThreadKeys { .. } => "open.thread-keys",
            Self::Linker(text) if text.contains("undefined symbol") => "open.unresolved-symbol",
            Self::Linker(_) => "open.linker",
            Self::NoRoot(_) => "open.no-root",
            Self::Header(_) => "open.header",
            Self::Layout { .. } => "open.layout",
            Self::OtherLibrary { .. } => "open.other-library",
            Self::Manifest(_) => "open.manifest",
            Self::Panicked(_) => "open.panicked",
        }
    }
}

/// Libraries opened since the process started.
#[must_use]
pub fn generations_loaded() -> u64 {
    GENERATIONS.load(Ordering::Relaxed)
}

/// Opens a library that went through stages 1 to 5.
///
/// # Errors
/// [`OpenError`]. The library stays mapped all the same: unmapping is never safe.
pub fn open(opening: &Opening<'_>) -> Result<Image, OpenError> {
    let left = thread_keys_left(opening.reserve_thread_keys.saturating_add(8));
    if left <= opening.reserve_thread_keys {
        return Err(OpenError::ThreadKeys {
            left,
            reserve: opening.reserve_thread_keys,
        });
    }
    // SAFETY: this runs the library's constructors. Stages 1 to 5 held: it is a whole object file from a place and a maker
    // that the operator trusts, which is all that can be asked before native code runs.
    let library = unsafe { Library::open(Some(opening.copy), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| OpenError::Linker(linker_text(&e)))?;
    // Never unmapped: thread-locals, wakers and bytes of the module may be alive on any thread.
    let library = ManuallyDrop::new(library);
    let generation = GENERATIONS.fetch_add(1, Ordering::Relaxed) + 1;
    let symbol = opening.manifest.root_symbol();
    // SAFETY: `AbiHeaderRef` is a reference to what stands behind the symbol; its magic is checked by `upgrade`.
    let header = unsafe { library.get::<AbiHeaderRef>(format!("{symbol}\0").as_bytes()) }.map_err(|_| OpenError::NoRoot(symbol.clone()))?;
    came_from(opening.copy, header.clone().as_raw_ptr())?;
    let header: AbiHeaderRef = *header;
    let header = header.upgrade().map_err(|e| OpenError::Header(e.to_string()))?;
    let found = header
        .layout()
        .ok_or_else(|| OpenError::Header("it carries no layout".to_owned()))?;
    layout::check(Root_Ref::LAYOUT, found).map_err(|fault| OpenError::Layout {
        message: fault.message.into_string(),
        detail: fault.detail.into_string(),
    })?;
    // SAFETY: the layouts agree.
    let root = guard(|| unsafe { header.init_root_module_with_unchecked_layout::<Root_Ref>() })
        .map_err(|fault| OpenError::Panicked(fault.message.into_string()))?
        .map_err(|e| OpenError::Header(e.to_string()))?;
    let image = image(root, Linkage::DYNAMIC, generation)?;
    if *image.manifest != *opening.manifest || *image.descriptors != *opening.descriptors {
        return Err(OpenError::Manifest(
            "the library was changed after it was built, or returns another module's".to_owned(),
        ));
    }
    Ok(image)
}

/// A module that is linked into the program.
///
/// # Errors
/// [`OpenError::Manifest`] when its manifest cannot be read.
pub fn linked(root: Root_Ref) -> Result<Image, OpenError> {
    image(root, Linkage::STATIC, 0)
}

fn image(root: Root_Ref, linkage: Linkage, generation: u64) -> Result<Image, OpenError> {
    let section = (root.manifest())();
    let (manifest, descriptors) = wharf_manifest::decode_section(&section).map_err(|e| OpenError::Manifest(e.to_string()))?;
    Ok(Image {
        root,
        manifest: Arc::new(manifest),
        descriptors: descriptors.into(),
        linkage,
        generation,
    })
}

fn linker_text(error: &libloading::Error) -> String {
    match error {
        libloading::Error::DlOpen { source, .. } => source.to_string(),
        other => other.to_string(),
    }
}

/// glibc finds an object that is loaded already by its name: makes sure that the symbol comes from the file asked for.
fn came_from(asked: &Path, address: *mut std::ffi::c_void) -> Result<(), OpenError> {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `info` is room for a `Dl_info`.
    let found = unsafe { libc::dladdr(address, info.as_mut_ptr()) } != 0;
    // SAFETY: zeroed is a valid `Dl_info`; `dladdr` fills it in when it returns non-zero.
    let name = unsafe { info.assume_init() }.dli_fname;
    let file = if found && !name.is_null() {
        // SAFETY: `dladdr` gives a C string that lives as long as the library, which is for ever.
        PathBuf::from(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
    } else {
        PathBuf::new()
    };
    if file == asked {
        return Ok(());
    }
    Err(OpenError::OtherLibrary {
        found: file.display().to_string(),
        asked: asked.display().to_string(),
    })
}

/// How many pthread keys are left, counted up to `at_most`.
#[must_use]
pub fn thread_keys_left(at_most: u64) -> u64 {
    let _one = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    count_thread_keys(at_most)
}

/// How many were left after the last load. Counting takes all of them for a moment, so a status asked twice counts once.
#[must_use]
pub fn thread_keys_after_load() -> u64 {
    let mut counted = COUNTED.lock().unwrap_or_else(PoisonError::into_inner);
    let generations = generations_loaded();
    match *counted {
        Some((at, left)) if at == generations => left,
        _ => {
            let left = count_thread_keys(1024);
            *counted = Some((generations, left));
            left
        }
    }
}

/// Only under the lock: two that count at once take the keys from each other, and a load is refused for nothing.
fn count_thread_keys(at_most: u64) -> u64 {
    let mut keys = Vec::new();
    while (keys.len() as u64) < at_most {
        let mut key = 0;
        // SAFETY: `key` is room for a key; no destructor.
        if unsafe { libc::pthread_key_create(&raw mut key, None) } != 0 {
            break;
        }
        keys.push(key);
    }
    for key in &keys {
        // SAFETY: made above and used by nobody.
        unsafe { libc::pthread_key_delete(*key) };
    }
    keys.len() as u64
}
