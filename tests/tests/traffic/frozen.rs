//! Modules that were built on the day the ABI was frozen load and work: their bytes are kept, and are never built again.
//!
//! The gamut of today is driven by the same steps, so that what is expected of the kept one is what a module gets.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use wharf_tests::{TestServer, gamut, library};

/// `HASH  FILE` in each line, as `sha256sum` writes it.
fn sums(folder: &Path) -> BTreeMap<String, String> {
    let text = fs::read_to_string(folder.join("SHA256SUMS")).unwrap();
    let entry = |line: &str| line.split_once("  ").map(|(hash, file)| (file.to_owned(), hash.to_owned()));
    text.lines().map(|line| entry(line).unwrap()).collect()
}

#[test]
fn the_kept_binaries_are_the_ones_of_their_day() {
    let mut folders = 0;
    let folders_in = |path: PathBuf| {
        let entries = fs::read_dir(path).unwrap().flatten();
        entries.filter(|entry| entry.path().is_dir())
    };
    for version in folders_in(gamut::fixtures()) {
        for target in folders_in(version.path()) {
            folders += 1;
            let found: BTreeMap<String, String> = fs::read_dir(target.path())
                .unwrap()
                .flatten()
                .filter(|file| file.file_name() != "SHA256SUMS")
                .map(|file| {
                    let hash = Sha256::digest(fs::read(file.path()).unwrap());
                    let hex = hash.iter().map(|byte| format!("{byte:02x}")).collect();
                    (file.file_name().to_string_lossy().into_owned(), hex)
                })
                .collect();
            assert!(found.len() >= 3, "{}: {found:?}", target.path().display());
            assert_eq!(
                found,
                sums(&target.path()),
                "{}: these files are never built again",
                target.path().display()
            );
        }
    }
    assert!(folders > 0, "no binaries are kept in {}", gamut::fixtures().display());
}

#[test]
fn a_module_of_today_uses_every_service_and_gives_every_export() {
    gamut::knows_every_service();
    let server = gamut::host("", &[]);
    for name in ["greeter", "gamut"] {
        server.install(&library(name));
    }
    running(&server, &["greeter", "gamut"]);
    gamut::drive(&server);
    gamut::reload(&server);
}

fn running(server: &TestServer, modules: &[&str]) {
    for id in modules {
        server.wait_for_module(id, "running", |status| status["state"] == "running");
    }
}

/// The binaries are for this system only; others have none yet.
#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
mod on_linux {
    use wharf_tests::ServerOptions;
    use wharf_tests::gamut::kept;

    use super::*;
    use crate::client::soon;
    use crate::grpc::{all_four_kinds, failures, plain};

    #[test]
    fn the_gamut_of_abi_1_0_uses_every_service_and_gives_every_export() {
        let server = gamut::host("", &[]);
        for name in ["greeter", "gamut"] {
            server.install(&kept("abi-1.0", name));
        }
        running(&server, &["greeter", "gamut"]);
        let folder = kept("abi-1.0", "gamut").parent().unwrap().to_path_buf();
        assert_eq!(
            server.module("gamut")["hash"],
            sums(&folder)["libgamut.so"],
            "it is the kept one that runs"
        );
        gamut::drive(&server);
        gamut::reload(&server);
    }

    /// Both ways: what is kept calls what was built today, and the other way round.
    #[test]
    fn modules_of_abi_1_0_and_of_today_call_each_other() {
        let server = gamut::host("", &[]);
        server.install(&kept("abi-1.0", "gamut"));
        server.install(&library("greeter"));
        running(&server, &["greeter", "gamut"]);
        gamut::drive(&server);
        let hash = |id: &str| server.module(id)["hash"].clone();
        let before = (hash("greeter"), hash("gamut"));
        server.install(&kept("abi-1.0", "greeter"));
        server.install(&library("gamut"));
        for (id, before) in [("greeter", before.0), ("gamut", before.1)] {
            server.wait_for_module(id, "the other build", |status| {
                status["state"] == "running" && status["hash"] != before
            });
        }
        gamut::calls_the_greeter(&server);
        gamut::reload(&server);
    }

    #[test]
    fn the_hello_of_abi_1_0_greets() {
        let server = TestServer::start(ServerOptions::default());
        server.install(&kept("abi-1.0", "hello_module"));
        running(&server, &["hello"]);
        assert_eq!(server.get("/hello/Ada").body, "Hello, Ada!\n");
        assert_eq!(server.get("/hello/nobody").status, 404);
        let ran = server.wharf(&["modules", "reload", "hello"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        assert_eq!(server.get("/hello/Ada").body, "Hello, Ada!\n");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_greeter_of_abi_1_0_has_every_kind_of_grpc_method() {
        let server = TestServer::start(ServerOptions::default());
        server.install(&kept("abi-1.0", "greeter"));
        running(&server, &["greeter"]);
        let channel = plain(server.http()).await;
        soon("all calls", all_four_kinds(channel.clone())).await;
        soon("all failures", failures(channel)).await;
    }
}
