//! The loopback address that a browser is sent back to (RFC 8252, 7.3).

use std::time::Duration;

use reqwest::Url;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::cli::Failure;

/// Longest head of a request that is read.
const LONGEST: usize = 16 * 1024;
/// How long a connection may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// A listener on a free port.
pub(crate) struct Callback {
    listener: TcpListener,
    uri: String,
}

/// What came back.
pub(crate) struct Answer {
    /// The code, or why there is none.
    pub(crate) code: Result<String, String>,
    /// Who answered (RFC 9207).
    pub(crate) issuer: Option<String>,
}

impl Callback {
    /// Listens on the loopback address.
    pub(crate) async fn open() -> Result<Self, Failure> {
        let failed =
            |error: std::io::Error| Failure::failed("cannot listen on 127.0.0.1", &error.to_string(), "log in with --api-key instead");
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self {
            listener,
            uri: format!("http://127.0.0.1:{port}/callback"),
        })
    }

    /// What to give the server as `redirect_uri`.
    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Waits for the browser to come back with this state; whatever else comes is turned away.
    pub(crate) async fn wait(&self, state: &str) -> Answer {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else { continue };
            if let Ok(Some(answer)) = tokio::time::timeout(PATIENCE, serve(stream, state)).await {
                return answer;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, state: &str) -> Option<Answer> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 1024];
        let read = stream.read(&mut part).await.ok()?;
        head.extend_from_slice(part.get(..read)?);
        if read == 0 || head.len() > LONGEST {
            return None;
        }
    }
    let answer = std::str::from_utf8(&head).ok().and_then(|head| answer(head, state));
    let (status, text) = match &answer {
        Some(Answer { code: Ok(_), .. }) => ("200 OK", "You are logged in. This window can be closed."),
        Some(_) => ("200 OK", "The login was refused. The command line says why."),
        None => ("404 Not Found", "There is nothing here."),
    };
    let response = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\ncache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n{text}",
        text.len()
    );
    drop(stream.write_all(response.as_bytes()).await);
    drop(stream.shutdown().await);
    answer
}

/// Reads `GET /callback?... HTTP/1.1`.
fn answer(head: &str, state: &str) -> Option<Answer> {
    let target = head.lines().next()?.strip_prefix("GET ")?.split(' ').next()?;
    let url = Url::parse("http://127.0.0.1").ok()?.join(target).ok()?;
    let value = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if url.path() != "/callback" || value("state")? != state {
        return None;
    }
    let code = match value("code") {
        Some(code) => Ok(code),
        None => Err(value("error_description")
            .or_else(|| value("error"))
            .unwrap_or_else(|| "no code came back".to_owned())),
    };
    Some(Answer {
        code,
        issuer: value("iss"),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn only_an_answer_with_our_state_counts() {
        let read = |target: &str| answer(&format!("GET {target} HTTP/1.1\r\n\r\n"), "s1");
        let right = read("/callback?code=c%2B1&state=s1&iss=https%3A%2F%2Fa").unwrap();
        assert_eq!(
            (right.code.unwrap(), right.issuer.unwrap()),
            ("c+1".to_owned(), "https://a".to_owned())
        );
        assert_eq!(
            read("/callback?error=access_denied&state=s1").unwrap().code.unwrap_err(),
            "access_denied"
        );
        for target in [
            "/callback?code=1",
            "/callback?code=1&state=s2",
            "/other?code=1&state=s1",
            "/favicon.ico",
            "//evil.example/callback?code=1&state=s2",
        ] {
            assert!(read(target).is_none(), "{target}");
        }
    }
}
