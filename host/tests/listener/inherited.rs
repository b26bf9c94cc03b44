//! Sockets handed over with `LISTEN_FDS`. A copy of this test binary plays the process that gets them.

use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::process::{Command, Stdio};

use wharf_host::http::server::Listener;

use crate::rig::*;

const CHILD: &str = "WHARF_TEST_INHERITS";

/// Runs only inside the child; in a normal run it has nothing to do.
#[test]
fn child_reports_what_it_inherits() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let report = match Listener::inherited() {
        Ok(sockets) => sockets
            .iter()
            .map(|socket| format!("{}={} ", socket.name, socket.listener.address()))
            .collect(),
        Err(error) => format!("error: {error}"),
    };
    std::fs::write(std::env::var_os(CHILD).unwrap(), report).unwrap();
    assert!(Listener::inherited().unwrap().is_empty(), "the variables must be gone");
}

/// Starts the child with these descriptors as 3, 4, ... A shell puts them in place and says for whom they are.
fn child(descriptors: &[std::os::fd::BorrowedFd<'_>], variables: &str) -> String {
    let report = tempfile::NamedTempFile::new().unwrap();
    let places = ["<&0", "<&1"];
    assert!(descriptors.len() <= places.len());
    // Standard input and output carry the sockets to the shell, which moves them to 3 and 4.
    let moves: String = (0..descriptors.len())
        .map(|place| format!(" {}{}", place + 3, places[place]))
        .collect();
    let script = format!("exec \"$0\" child_reports_what_it_inherits --nocapture{moves} 0</dev/null 1>/dev/null");
    let script = format!("export LISTEN_PID=$$ {variables}; {script}");
    let mut command = Command::new("sh");
    command
        .arg("-c")
        .arg(script)
        .arg(std::env::current_exe().unwrap())
        .env(CHILD, report.path());
    let copy = |place: usize| {
        descriptors
            .get(place)
            .map_or_else(Stdio::null, |fd| Stdio::from(fd.try_clone_to_owned().unwrap()))
    };
    let status = command.stdin(copy(0)).stdout(copy(1)).status().unwrap();
    let report = std::fs::read_to_string(report.path()).unwrap();
    assert!(status.success() || report.starts_with("error"), "{status} {report}");
    report
}

#[test]
fn named_sockets_are_taken_in_order() {
    let (one, two) = (TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap());
    let report = child(&[one.as_fd(), two.as_fd()], "LISTEN_FDS=2 LISTEN_FDNAMES=public:management");
    assert_eq!(
        report,
        format!("public={} management={} ", one.local_addr().unwrap(), two.local_addr().unwrap())
    );
    let report = child(&[one.as_fd()], "LISTEN_FDS=1");
    assert_eq!(report, format!("unknown={} ", one.local_addr().unwrap()));
}

/// What a restart without a refused connection needs: the successor accepts on the socket of a running server.
#[tokio::test]
async fn a_running_server_hands_its_socket_over() {
    let host = Host::start(vec![module("greeter", vec![route("GET", "/")], mirror("greeter"))]);
    let socket = host.server.socket().unwrap();
    let address = host.address;
    let report = tokio::task::spawn_blocking(move || child(&[socket.as_fd()], "LISTEN_FDS=1 LISTEN_FDNAMES=public"))
        .await
        .unwrap();
    assert_eq!(report, format!("public={address} "));
    assert_eq!(Client::http1(address).await.get("/greeter").await.0, 200);
}

#[test]
fn sockets_for_another_process_are_left_alone() {
    let one = TcpListener::bind("127.0.0.1:0").unwrap();
    assert_eq!(child(&[one.as_fd()], "LISTEN_FDS=1 LISTEN_PID=1"), "");
}

#[test]
fn something_that_is_no_listening_socket_is_an_error_that_names_it() {
    let file = tempfile::tempfile().unwrap();
    let report = child(&[file.as_fd()], "LISTEN_FDS=1 LISTEN_FDNAMES=public");
    assert!(
        report.starts_with("error: inherited descriptor 3 (public) is not a listening TCP socket"),
        "{report}"
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let report = child(
        &[listener.as_fd(), connected.as_fd()],
        "LISTEN_FDS=2 LISTEN_FDNAMES=public:management",
    );
    assert!(report.starts_with("error: inherited descriptor 4 (management)"), "{report}");
}
