//! The next version of a module, as `compose.rs` put it together.

include!(concat!(env!("OUT_DIR"), "/module/src/lib.rs"));
