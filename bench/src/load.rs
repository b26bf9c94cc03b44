//! The load generator: HTTP/1.1 over some connections, as cheap as can be, so that the server is what is measured.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::case::Case;
use crate::network::PREFIX;

/// Prints how many requests were answered and in how many seconds.
pub(crate) fn run(address: &str, case: &str, seconds: &str, connections: &str, token: Option<&str>) -> Result<()> {
    let case = Case::named(case)?;
    let mut head = format!("{} {PREFIX}{} HTTP/1.1\r\n", case.method, case.path);
    for (name, value) in case.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    if let Some(token) = token {
        head.push_str(&format!("authorization: Bearer {token}\r\n"));
    }
    if case.body > 0 {
        head.push_str(&format!("content-length: {}\r\n", case.body));
    }
    head.push_str("\r\n");
    let mut request = head.into_bytes();
    request.resize(request.len() + case.body, b'x');
    let request: &'static [u8] = request.leak();
    let time = Duration::from_secs(seconds.parse()?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // A body of 1 MiB on every connection at once measures the machine's memory.
    let connections: usize = if case.body > 0 { 4 } else { connections.parse()? };
    runtime.block_on(async {
        let started = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..connections {
            clients.push(tokio::spawn(client(address.to_owned(), request, started + time)));
        }
        let mut requests = 0;
        for client in clients {
            requests += client.await??;
        }
        println!("{requests} {}", started.elapsed().as_secs_f64());
        Ok(())
    })
}

/// One request after the other. All answers are as long as the first.
async fn client(address: String, request: &'static [u8], until: Instant) -> Result<u64> {
    let stream = TcpStream::connect(&address).await?;
    stream.set_nodelay(true)?;
    let (mut read, mut write) = stream.into_split();
    let mut buffer = vec![0; 1 << 18];
    let mut length = None;
    let mut requests = 0;
    while Instant::now() < until {
        // Written beside the reading: a body that is echoed comes back while it is sent.
        let answer = async {
            let mut have = 0;
            while length.is_none_or(|length| have < length) {
                let room = buffer
                    .get_mut(if length.is_none() { have.. } else { 0.. })
                    .context("the head is too long")?;
                let more = read.read(room).await?;
                if more == 0 {
                    bail!("the server closed the connection");
                }
                have += more;
                if length.is_none() {
                    length = whole_length(buffer.get(..have).unwrap_or_default())?;
                }
            }
            if length != Some(have) {
                bail!("found an answer of {have} bytes, expected {length:?}");
            }
            Ok(())
        };
        let (written, answered) = tokio::join!(write.write_all(request), answer);
        written?;
        answered?;
        requests += 1;
    }
    Ok(requests)
}

/// Bytes of head and body, once the head is there.
fn whole_length(bytes: &[u8]) -> Result<Option<usize>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).to_ascii_lowercase();
    if !head.starts_with("http/1.1 200") {
        bail!("the server answered {head:?}");
    }
    let length: usize = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .with_context(|| format!("the answer has no content-length: {head}"))?
        .trim()
        .parse()?;
    Ok(Some(end + 4 + length))
}
