//! macOS. Its libraries can be inspected anywhere; loading them was never run.

/// How names of libraries end.
pub const LIBRARY_SUFFIX: &str = ".dylib";

/// What a cdylib of rustc needs at most.
pub const SYSTEM_LIBRARIES: &[&str] = &["/usr/lib/libSystem.B.dylib", "/usr/lib/libiconv.2.dylib"];
