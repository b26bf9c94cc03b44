//! The gamut on PostgreSQL, Redis, RabbitMQ, S3 and SMTP: the same steps as on the embedded default.

use std::path::PathBuf;

use wharf_tests::visitors::Stage;
use wharf_tests::{gamut, library};

fn drive(libraries: [PathBuf; 2]) {
    let stage = Stage::start();
    let server = gamut::host("", &stage.environment("one"));
    for library in &libraries {
        server.install(library);
    }
    for id in ["greeter", "gamut"] {
        server.wait_for_module(id, "running", |status| status["state"] == "running");
    }
    gamut::drive(&server);
    gamut::reload(&server);
}

#[test]
fn a_module_of_today_uses_every_service_on_real_servers() {
    drive([library("greeter"), library("gamut")]);
}

#[cfg(all(target_arch = "x86_64", target_os = "linux", target_env = "gnu"))]
#[test]
fn the_gamut_of_abi_1_0_uses_every_service_on_real_servers() {
    drive([gamut::kept("abi-1.0", "greeter"), gamut::kept("abi-1.0", "gamut")]);
}
