//! The kernel's word that looking at a library maps none of it as code.

use wharf_tests::{install, library, mapped_executable, scratch, wharf_binary, without_test_variables};

#[test]
fn list_check_and_plan_map_no_library_as_code() {
    let folder = scratch("untouched");
    let plugins = folder.path().join("plugins");
    std::fs::create_dir(&plugins).unwrap();
    let placed = install(&library("hello_module"), &plugins);
    let placed = placed.to_str().unwrap();
    for arguments in [
        &["modules", "list"][..],
        &["modules", "check"],
        &["modules", "check", placed],
        &["modules", "plan"],
    ] {
        let mut command = std::process::Command::new(wharf_binary());
        without_test_variables(&mut command);
        command
            .args(arguments)
            .current_dir(folder.path())
            .env("WHARF_DATA_DIR", folder.path().join("data"))
            .env("WHARF_PLUGINS__DIR", &plugins)
            .env("WHARF_PLUGINS__TRUST__MODE", "any");
        let (status, files) = mapped_executable(&command);
        assert!(status.success(), "wharf {arguments:?}: {status}");
        assert!(
            files.iter().any(|file| file.file_name().is_some_and(|name| name == "libc.so.6")),
            "the trace shows what the program itself needs, found {files:?}"
        );
        let mapped: Vec<_> = files.iter().filter(|file| file.starts_with(folder.path())).collect();
        assert!(mapped.is_empty(), "wharf {arguments:?} mapped {mapped:?}");
    }
}
