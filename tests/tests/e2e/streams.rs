//! Bodies flow both ways through a module while they are made.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use wharf_tests::open;

use super::stage::{LIMIT, config, server};

#[test]
fn an_echo_answers_before_its_request_has_ended() {
    let server = server(&["lab_module"], &config("", ""));
    let mut stream = TcpStream::connect(server.http()).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    stream
        .write_all(b"POST /lab/echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    let mut answer = BufReader::new(stream.try_clone().unwrap());
    for word in ["first", "second", "third"] {
        write!(stream, "{:x}\r\n{word}\n\r\n", word.len() + 1).unwrap();
        let mut line = String::new();
        while !line.starts_with(word) {
            line.clear();
            assert!(answer.read_line(&mut line).unwrap() > 0, "the answer ended before {word}");
        }
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    let mut rest = String::new();
    answer.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("0\r\n\r\n"), "{rest:?}");
}

#[test]
fn a_large_answer_arrives_whole() {
    let server = server(&["lab_module"], &config("", ""));
    let mut answer = Vec::new();
    open(server.http(), "/lab/big/32").unwrap().read_to_end(&mut answer).unwrap();
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
    // Sizes of chunks have no letter of this kind.
    let count = answer[head..].iter().filter(|byte| **byte == b'Z').count();
    assert_eq!(count, 32 * 1024 * 1024);
}
