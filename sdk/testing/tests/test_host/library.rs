//! Finds the libraries of the sample modules: cargo makes them in the same step as the rlibs these tests link.

use std::path::PathBuf;

/// `libNAME.so` beside this test program.
pub(crate) fn library(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let path = program.parent().unwrap().join(file);
    assert!(
        path.is_file(),
        "{} is not there: cargo builds it for the dev-dependency",
        path.display()
    );
    path
}
