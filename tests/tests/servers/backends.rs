//! The private servers themselves: killed, started again, and gone with the process that started them.

use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use wharf_tests::backends::{Backend, Kind, Postgres, RabbitMq, Redis, S3, Smtp};
use wharf_tests::{Process, until};

const LIMIT: Duration = Duration::from_secs(30);

#[test]
fn a_killed_redis_is_gone_and_comes_back_on_its_port() {
    comes_back(Redis);
}

#[test]
fn a_killed_postgres_is_gone_and_comes_back_on_its_port() {
    comes_back(Postgres);
}

#[test]
fn a_killed_s3_is_gone_and_comes_back_on_its_port() {
    comes_back(S3);
}

#[test]
fn a_killed_mail_server_is_gone_and_comes_back_on_its_port() {
    comes_back(Smtp::default());
}

#[test]
fn a_killed_rabbitmq_is_gone_and_comes_back_on_its_port() {
    comes_back(RabbitMq);
}

fn comes_back(kind: impl Kind) {
    let mut server = Backend::start(kind);
    let port = server.place().port();
    let folder = server.place().folder.clone();
    server.kill();
    assert!(closes(port), "{} is killed and its port still open", server.name());
    // It waits until the server answers in its own protocol.
    server.restart();
    assert_eq!(server.place().port(), port);
    server.stop();
    assert!(closes(port), "{} was stopped and its port is still open", server.name());
    drop(server);
    assert!(!folder.exists(), "{} is left", folder.display());
}

#[test]
fn servers_end_with_the_command_and_its_exit_code_is_handed_on() {
    let mut run = with_servers("echo port $WHARF_TEST_REDIS_URL; exit 7");
    assert_eq!(run.wait(Duration::from_secs(180)).code(), Some(7));
    assert!(!answers(redis_port(&run.output())));
}

#[test]
fn servers_end_when_who_started_them_is_killed() {
    let run = with_servers("echo port $WHARF_TEST_REDIS_URL; exec sleep 1000");
    let port = redis_port(&run.wait_for_output("port redis://", Duration::from_secs(180)));
    assert!(answers(port));
    drop(run);
    assert!(
        until(LIMIT, || (!answers(port)).then_some(())).is_some(),
        "redis on {port} outlives its starter"
    );
}

fn with_servers(script: &str) -> Process {
    Process::start(Command::new(env!("CARGO_BIN_EXE_with-servers")).args(["--only", "redis,smtp", "--", "sh", "-c", script]))
}

fn redis_port(output: &str) -> u16 {
    let line = output
        .lines()
        .find_map(|line| line.strip_prefix("port redis://127.0.0.1:"))
        .unwrap();
    line.parse().unwrap()
}

/// What a killed server has started ends by itself, a moment later.
fn closes(port: u16) -> bool {
    until(LIMIT, || (!answers(port)).then_some(())).is_some()
}

fn answers(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}
