//! Looking at a library runs none of its code: one whose constructor writes a file and aborts leaves no trace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_manifest::{Abi, BuildInfo, Panic, encode_section, parse_toml};
use wharf_tests::{ServerOptions, TestServer};

use super::stage::hello_answers;

/// Compiles a library that passes stages 1 to 5 and whose constructor writes `trace` and aborts.
fn nasty(folder: &Path, trace: &Path) -> PathBuf {
    let build = BuildInfo {
        abi: Abi {
            major: 1,
            minor: 0,
            draft: false,
        },
        sdk: "0.1.0".into(),
        rustc: "1.95.0".into(),
        target: "x86_64-unknown-linux-gnu".into(),
        panic: Panic::Unwind,
    };
    let source = parse_toml("id = \"nasty\"\nversion = \"1.0.0\"\ndescription = \"Writes and aborts\"\n").unwrap();
    let manifest = source.embed(None, build);
    let (section, c, out) = (folder.join("section"), folder.join("nasty.c"), folder.join("libnasty.so"));
    fs::write(&section, encode_section(&manifest, &[]).unwrap()).unwrap();
    let text = format!(
        "#include <stdio.h>\n#include <stdlib.h>\n\
         __asm__(\".pushsection .wharf.manifest,\\\"a\\\"\\n.incbin \\\"{}\\\"\\n.popsection\");\n\
         const int {} = 1;\n\
         __attribute__((constructor)) static void begin(void) {{ FILE *f = fopen(\"{}\", \"w\"); if (f) fclose(f); abort(); }}\n",
        section.display(),
        manifest.root_symbol(),
        trace.display()
    );
    fs::write(&c, text).unwrap();
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-Wl,--build-id=sha1", "-Wl,-z,noexecstack", "-o"])
        .args([&out, &c])
        .output()
        .expect("this test needs a C compiler called cc");
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
    out
}

#[test]
fn list_check_and_plan_run_no_code_of_a_library() {
    let folder = wharf_tests::scratch("nasty");
    let trace = folder.path().join("trace");
    let library = nasty(folder.path(), &trace);
    // It does what it should when it is loaded.
    let loaded = Command::new("true").env("LD_PRELOAD", &library).status().unwrap();
    assert!(!loaded.success() && trace.exists(), "{loaded}");
    fs::remove_file(&trace).unwrap();

    let mut server = TestServer::start(ServerOptions {
        modules: &["hello_module"],
        config: "[plugins.trust]\nmode = \"any\"\n",
        arguments: &[],
        ..ServerOptions::default()
    });
    assert_eq!(server.wharf(&["modules", "enable", "hello"]).code, 0);
    let placed = server.install(&library);
    let placed = placed.to_str().unwrap();
    let commands: [&[&str]; 4] = [
        &["modules", "list", "--json"],
        &["modules", "check", "--json"],
        &["modules", "check", placed, "--json"],
        &["modules", "plan", "--json"],
    ];
    let look = |server: &TestServer, when: &str| {
        for arguments in commands {
            let ran = server.wharf(arguments);
            assert_eq!(ran.code, 0, "{when}, wharf {arguments:?}: {}{}", ran.out, ran.err);
            assert!(!trace.exists(), "{when}, wharf {arguments:?} ran its constructor");
        }
        let plan = server.wharf(&["modules", "plan", "--json"]).out;
        assert!(plan.contains("nasty"), "{when}: it was not looked at: {plan}");
    };
    look(&server, "with a host");
    let rescan = server.admin("POST", "/rescan");
    assert_eq!(rescan.status, 200, "{}", rescan.body);
    for path in ["/plan", "/modules", "/modules/nasty", "/status"] {
        let answer = server.admin("GET", path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert!(answer.body.contains("nasty"), "{path}: {}", answer.body);
    }
    hello_answers(&server);
    server.terminate(super::stage::LIMIT);
    look(&server, "without a host");
    assert!(!trace.exists());
}
