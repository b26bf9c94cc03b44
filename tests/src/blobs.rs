//! Large blobs, up and down through HTTP and a module, while the memory of the host is watched.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::server::TestServer;

const MIB: u64 = 1 << 20;
/// How long the other side may be silent.
const LIMIT: Duration = Duration::from_secs(120);
/// How often the memory is looked at.
const LOOK: Duration = Duration::from_millis(10);

/// Anonymous memory of the host, in KiB.
#[derive(Debug, Clone, Copy)]
pub struct Memory {
    /// After a small blob has gone up and down.
    pub before: u64,
    /// The most while the large one went up.
    pub up: u64,
    /// The most while it came down.
    pub down: u64,
}

impl Memory {
    /// What the large blob took beside the small one.
    #[must_use]
    pub fn growth(&self) -> u64 {
        self.up.max(self.down).saturating_sub(self.before)
    }
}

/// Puts a blob of so many MiB into the module `depot` and gets it again, byte for byte.
///
/// # Panics
/// When it is not taken, or not what comes back.
#[must_use]
pub fn move_large(server: &TestServer, mib: u64) -> Memory {
    let (address, process) = (server.http(), server.process().id());
    let there_and_back = |size: u64| {
        let path = format!("/depot/blobs/large-{size}");
        let (put, up) = watched(process, || put(address, &path, size));
        let put = put.unwrap_or_else(|error| panic!("PUT {path}: {error}; wharf printed:\n{}", server.process().output()));
        assert!(put.starts_with("HTTP/1.0 200") || put.starts_with("HTTP/1.1 200"), "{put}");
        assert!(
            put.contains(&format!("\r\n\r\n{size} ")),
            "the size is not that of what was sent: {put}"
        );
        let (got, down) = watched(process, || get(address, &path, size));
        got.unwrap_or_else(|error| panic!("GET {path}: {error}; wharf printed:\n{}", server.process().output()));
        (up, down)
    };
    there_and_back(8 * MIB);
    let before = anonymous(process);
    let (up, down) = there_and_back(mib * MIB);
    Memory { before, up, down }
}

/// A MiB that is not the same over and over.
fn piece() -> Vec<u8> {
    (0..MIB).map(|place| (place.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn put(address: SocketAddr, path: &str, size: u64) -> io::Result<String> {
    let mut stream = connect(address)?;
    write!(stream, "PUT {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n")?;
    let piece = piece();
    for _ in 0..size / MIB {
        stream.write_all(&piece)?;
    }
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

fn get(address: SocketAddr, path: &str, size: u64) -> io::Result<()> {
    let mut stream = connect(address)?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    if !head.contains(" 200 ") {
        return Err(io::Error::other(head));
    }
    let (expected, mut found) = (piece(), vec![0; MIB as usize]);
    for number in 0..size / MIB {
        stream.read_exact(&mut found)?;
        if found != expected {
            return Err(io::Error::other(format!("MiB {number} is another one")));
        }
    }
    match stream.read(&mut [0])? {
        0 => Ok(()),
        _ => Err(io::Error::other(format!("found more than {size} bytes"))),
    }
}

/// Runs it, and gives the most anonymous memory that the process had meanwhile.
fn watched<T>(process: u32, run: impl FnOnce() -> T) -> (T, u64) {
    let (most, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                most.fetch_max(anonymous(process), Ordering::SeqCst);
                thread::park_timeout(LOOK);
            }
        });
        let done = run();
        over.store(true, Ordering::SeqCst);
        done
    });
    (done, most.into_inner())
}

/// `RssAnon`, in KiB.
fn anonymous(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok())
        .unwrap_or_default()
}
