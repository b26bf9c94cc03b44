//! The real `wharf serve` on free ports, with a data folder of its own.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use tempfile::TempDir;

use crate::artifacts::{install, library, wharf_binary};
use crate::process::{Process, until};
use crate::workspace::{make_private, scratch};

/// How a server is started.
#[derive(Debug, Clone)]
pub struct ServerOptions<'a> {
    /// Libraries to install before the start, by crate name: `greeter`, `hello_module`.
    pub modules: &'a [&'a str],
    /// Text of `wharf-host.toml`; addresses, data and plugins folder come from the environment and win.
    pub config: &'a str,
    /// Environment variables beside those that choose addresses and folders.
    pub environment: &'a [(&'a str, &'a str)],
    /// Arguments after `serve`.
    pub arguments: &'a [&'a str],
    /// How long the server may take until it is ready.
    pub ready_within: Duration,
}

/// A running server. Dropping it kills it and removes its folder.
#[derive(Debug)]
pub struct TestServer {
    process: Process,
    http: SocketAddr,
    management: SocketAddr,
    folder: TempDir,
}

/// The answer to [`TestServer::get`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Status line and headers as they came.
    pub head: String,
    /// The body as text.
    pub body: String,
}

/// Why one try at starting did not work.
enum Failure {
    /// Somebody took one of the ports between choosing and listening.
    PortTaken,
    Other(String),
}

impl Default for ServerOptions<'_> {
    fn default() -> Self {
        Self {
            modules: &[],
            config: "",
            environment: &[],
            arguments: &["--dev"],
            ready_within: Duration::from_secs(30),
        }
    }
}

impl TestServer {
    /// Starts a server and waits until it is ready.
    ///
    /// # Panics
    /// When it is not ready in time or ends before; the message has everything it printed.
    #[must_use]
    pub fn start(options: ServerOptions<'_>) -> Self {
        for _ in 0..5 {
            match Self::try_start(&options) {
                Ok(server) => return server,
                Err(Failure::PortTaken) => {}
                Err(Failure::Other(reason)) => panic!("{reason}"),
            }
        }
        panic!("cannot start wharf: five times another process took the port first");
    }

    fn try_start(options: &ServerOptions<'_>) -> Result<Self, Failure> {
        let folder = scratch("server");
        let plugins = folder.path().join("plugins");
        make_private(&plugins);
        for name in options.modules {
            install(&library(name), &plugins);
        }
        let config = folder.path().join("wharf-host.toml");
        fs::write(&config, options.config).map_err(|error| Failure::Other(format!("cannot write {}: {error}", config.display())))?;
        let (http, management) = free_addresses().map_err(|error| Failure::Other(format!("no free port: {error}")))?;
        let mut command = Command::new(wharf_binary());
        command
            .arg("serve")
            .args(options.arguments)
            .current_dir(folder.path())
            .env("WHARF_CONFIG", &config)
            .env("WHARF_DATA_DIR", folder.path().join("data"))
            .env("WHARF_PLUGINS__DIR", &plugins)
            .env("WHARF_HTTP__LISTEN", http.to_string())
            .env("WHARF_MANAGEMENT__LISTEN", management.to_string())
            .envs(options.environment.iter().copied());
        let process = Process::start(&mut command);
        let mut server = Self {
            process,
            http,
            management,
            folder,
        };
        server.wait_until_ready(options.ready_within)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, limit: Duration) -> Result<(), Failure> {
        let seen = until(limit, || {
            if let Some(status) = self.process.try_wait() {
                return Some(Err(status));
            }
            get(self.management, "/readyz")
                .is_ok_and(|answer| answer.status == 200)
                .then_some(Ok(()))
        });
        let output = self.process.output();
        match seen {
            Some(Ok(())) => Ok(()),
            Some(Err(_)) if output.to_lowercase().contains("address already in use") => Err(Failure::PortTaken),
            Some(Err(status)) => Err(Failure::Other(format!(
                "wharf ended with {status} before it was ready; it printed:\n{output}"
            ))),
            None => Err(Failure::Other(format!(
                "wharf was not ready within {limit:?}; it printed:\n{output}"
            ))),
        }
    }

    /// Where the public listener is: HTTP/1.1, HTTP/2 and gRPC.
    #[must_use]
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where the management listener is.
    #[must_use]
    pub fn management(&self) -> SocketAddr {
        self.management
    }

    /// The folder that the server loads modules from.
    #[must_use]
    pub fn plugins(&self) -> PathBuf {
        self.folder.path().join("plugins")
    }

    /// The server's data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The server's configuration file.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("wharf-host.toml")
    }

    /// The running process, for its id, its output and signals.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// A `wharf` command with this server's configuration, data folder and working folder.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(wharf_binary());
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("WHARF_CONFIG", self.config())
            .env("WHARF_DATA_DIR", self.data())
            .env("WHARF_PLUGINS__DIR", self.plugins());
        command
    }

    /// Puts a library into the folder of this server, complete and as a new file.
    ///
    /// # Panics
    /// When the library does not exist.
    pub fn install(&self, library: &Path) -> PathBuf {
        install(library, &self.plugins())
    }

    /// One GET over a connection of its own.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        get(self.http, path).unwrap_or_else(|error| panic!("GET {path}: {error}; wharf printed:\n{}", self.process.output()))
    }

    /// Asks the server to end, as a service manager does, and waits for it.
    ///
    /// # Panics
    /// When it has not ended within the limit.
    pub fn terminate(&mut self, limit: Duration) -> ExitStatus {
        self.process.signal("TERM");
        self.process.wait(limit)
    }
}

/// Two free addresses. Both are held until both are known, so they differ.
fn free_addresses() -> io::Result<(SocketAddr, SocketAddr)> {
    let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let second = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((first.local_addr()?, second.local_addr()?))
}

/// One GET as HTTP/1.0, whose answer ends with the connection and is never chunked.
fn get(address: SocketAddr, path: &str) -> io::Result<Answer> {
    let limit = Duration::from_secs(10);
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_read_timeout(Some(limit))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
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
    use std::thread;

    #[test]
    fn an_answer_is_read_to_its_end() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut asked = [0; 64];
            let count = stream.read(&mut asked).expect("a request");
            stream
                .write_all(b"HTTP/1.0 404 Not Found\r\nx: y\r\n\r\nnothing\n")
                .expect("the answer is sent");
            String::from_utf8_lossy(asked.get(..count).unwrap_or_default()).into_owned()
        });
        let answer = get(address, "/a?b").expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (404, "nothing\n"));
        assert!(server.join().expect("the server ends").starts_with("GET /a?b HTTP/1.0\r\n"));
    }

    #[test]
    #[should_panic(expected = "before it was ready; it printed:")]
    fn a_server_that_does_not_start_is_reported_with_what_it_printed() {
        let _ = TestServer::start(ServerOptions {
            arguments: &["--no-such-option"],
            ..ServerOptions::default()
        });
    }

    #[test]
    fn what_is_not_http_is_no_answer() {
        assert_eq!(parse("SSH-2.0\r\n\r\n"), None);
    }
}
