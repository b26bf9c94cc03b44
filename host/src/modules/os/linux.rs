//! Linux with glibc.

/// How names of libraries end.
pub const LIBRARY_SUFFIX: &str = ".so";

/// What a cdylib of rustc needs at most, and the loader itself.
pub const SYSTEM_LIBRARIES: &[&str] = &[
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libpthread.so.0",
    "libdl.so.2",
    "librt.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
];
