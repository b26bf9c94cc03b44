//! The new one of two builds of the module `swap`. Both are made from `serving.rs` and differ in their answers.

#[path = "../../swap-old/src/serving.rs"]
mod serving;

use wharf_sdk::export_module;

pub use serving::Swap;

/// What this build answers; `wharf.toml` says the same.
const VERSION: &str = "1.1.0";

export_module!(Swap);
