//! A type that is exported and is no module.
use wharf_sdk::export_module;

export_module!(Hello);

pub struct Hello;

fn main() {}
