//! What `strace` sees of a program.

use std::process::Command;

use wharf_tests::mapped_executable;

#[test]
fn an_executable_mapping_of_a_child_is_seen() {
    let (status, files) = mapped_executable(Command::new("sh").args(["-c", "true; sh -c true"]));
    assert!(status.success());
    assert!(
        files.iter().any(|file| file.to_string_lossy().contains("libc.so")),
        "expected the C library in {files:?}"
    );
}
