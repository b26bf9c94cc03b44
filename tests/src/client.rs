//! A client of a few lines: one request a connection, so that each answer ends with its connection.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Status line and headers as they came.
    pub head: String,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// The body as JSON, `null` when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// Whether there is such a header line; names are lower case.
    #[must_use]
    pub fn has_header(&self, line: &str) -> bool {
        self.head.lines().any(|found| found.eq_ignore_ascii_case(line))
    }
}

/// One request as HTTP/1.0, whose answer ends with the connection and is never chunked.
///
/// # Errors
/// When there is no complete answer.
pub fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
    let stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    exchange(stream, method, path, headers, body)
}

/// The same over a Unix socket.
///
/// # Errors
/// When there is no complete answer.
pub(crate) fn send_unix(socket: &Path, method: &str, path: &str) -> io::Result<Answer> {
    send_unix_with(socket, method, path, &[], &[])
}

/// The same with headers and a body.
///
/// # Errors
/// When there is no complete answer.
pub fn send_unix_with(socket: &Path, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
    let stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(LIMIT))?;
    exchange(stream, method, path, headers, body)
}

/// Asks as HTTP/1.1 and returns the connection, to be read as it comes.
///
/// # Errors
/// When the request cannot be sent.
pub fn open(address: SocketAddr, path: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&address, LIMIT)?;
    stream.set_read_timeout(Some(LIMIT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

fn exchange(mut stream: impl Read + Write, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: localhost\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse(&String::from_utf8_lossy(&bytes)).ok_or_else(|| io::Error::other("the answer is not http"))
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = [0; 256];
            let count = stream.read(&mut asked).expect("a request");
            stream
                .write_all(b"HTTP/1.0 404 Not Found\r\nx: y\r\n\r\nnothing\n")
                .expect("the answer is sent");
            String::from_utf8_lossy(asked.get(..count).unwrap_or_default()).into_owned()
        });
        let answer = send(address, "GET", "/a?b", &[], &[]).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (404, "nothing\n"));
        assert!(answer.has_header("X: y"));
        assert!(server.join().expect("the server ends").starts_with("GET /a?b HTTP/1.0\r\n"));
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert_eq!(parse("SSH-2.0\r\n\r\n"), None);
    }
}
