//! Version 1.1.0 of the module `swap`.

use wharf_sdk::export_module;

export_module!(swap_module::Swap<Build>);

/// This build.
pub struct Build;

impl swap_module::Build for Build {
    const VERSION: &'static str = "1.1.0";
}
