//! The real `wharf serve` on free ports, with a data folder of its own.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::artifacts::{install, library, wharf_binary};
use crate::backends::free_ports;
use crate::client::{self, Answer};
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
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    ready_within: Duration,
}

/// How a `wharf` command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// Its exit code, -1 when a signal ended it.
    pub code: i32,
    /// What it printed on standard output.
    pub out: String,
    /// What it printed on standard error.
    pub err: String,
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
        let ports = free_ports(2).map_err(|error| Failure::Other(format!("no free port: {error}")))?;
        let [http, management] = ports.as_slice() else {
            return Err(Failure::PortTaken);
        };
        let address = |port: &u16| SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
        let own = |text: &&str| (*text).to_owned();
        let mut server = Self {
            process: Process::none(),
            http: address(http),
            management: address(management),
            folder,
            arguments: options.arguments.iter().map(own).collect(),
            environment: options.environment.iter().map(|(name, value)| (own(name), own(value))).collect(),
            ready_within: options.ready_within,
        };
        server.run()?;
        Ok(server)
    }

    fn run(&mut self) -> Result<(), Failure> {
        let mut command = self.command(&["serve"]);
        command
            .args(&self.arguments)
            .env("WHARF_HTTP__LISTEN", self.http.to_string())
            .env("WHARF_MANAGEMENT__LISTEN", self.management.to_string())
            // Most tests are about something else; `people::host` starts hosts with them.
            .env("WHARF_SECURITY__CORE_MODULES", "[]")
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        self.process = Process::start(&mut command);
        self.wait_until_ready(self.ready_within)
    }

    /// Ends the server as a service manager does and starts another with the same data, ports and options.
    ///
    /// # Panics
    /// When it does not end or start.
    pub fn restart(&mut self) {
        self.terminate(Duration::from_secs(30));
        self.start_again();
    }

    /// Ends the server at once, as a power cut would, and starts another with the same data, ports and options.
    ///
    /// # Panics
    /// When it does not start.
    pub fn kill_and_start_again(&mut self) {
        self.process.signal("KILL");
        self.process.wait(Duration::from_secs(30));
        self.start_again();
    }

    fn start_again(&mut self) {
        match self.run() {
            Ok(()) => {}
            Err(Failure::PortTaken) => panic!("cannot start wharf again: another process took its port"),
            Err(Failure::Other(reason)) => panic!("{reason}"),
        }
    }

    /// Starts another server with the same data and ports, after this one was killed or has ended by itself.
    ///
    /// # Panics
    /// When it does not end within the limit, or the other one does not start.
    pub fn restart_killed(&mut self, environment: &[(&str, &str)], limit: Duration) {
        let ended = until(limit, || self.process.try_wait());
        assert!(
            ended.is_some(),
            "wharf still runs after {limit:?}; it printed:\n{}",
            self.process.output()
        );
        self.environment = environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        match self.run() {
            Ok(()) => {}
            Err(Failure::PortTaken) => panic!("cannot start wharf again: another process took its port"),
            Err(Failure::Other(reason)) => panic!("{reason}"),
        }
    }

    fn wait_until_ready(&mut self, limit: Duration) -> Result<(), Failure> {
        let seen = until(limit, || {
            if let Some(status) = self.process.try_wait() {
                return Some(Err(status));
            }
            let is_ready = client::send(self.management, "GET", "/readyz", &[], &[]).is_ok_and(|answer| answer.status == 200);
            // One that ended meanwhile found its port taken, and the answer was somebody else's.
            is_ready.then(|| self.process.try_wait().map_or(Ok(()), Err))
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
        without_test_variables(&mut command);
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

    /// Puts a library into the folder of this server under another name.
    ///
    /// # Panics
    /// When the library cannot be copied.
    pub fn install_as(&self, library: &Path, name: &str) -> PathBuf {
        let own = self.folder.path().join(name);
        fs::copy(library, &own).unwrap_or_else(|error| panic!("cannot copy {}: {error}", library.display()));
        self.install(&own)
    }

    /// Writes the configuration file anew; the server reads it when it gets HUP.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn configure(&self, text: &str) {
        fs::write(self.config(), text).unwrap_or_else(|error| panic!("cannot write {}: {error}", self.config().display()));
    }

    /// Runs a `wharf` command beside this server, to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn wharf(&self, arguments: &[&str]) -> Ran {
        let output = self
            .command(arguments)
            .output()
            .unwrap_or_else(|error| panic!("cannot run wharf {arguments:?}: {error}"));
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Asks the admin API of this server: `/status`, `/modules/greeter`.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn admin(&self, method: &str, path: &str) -> Answer {
        let socket = self.data().join("admin/wharf.sock");
        client::send_unix(&socket, method, &format!("/admin/v1{path}")).unwrap_or_else(|error| {
            panic!(
                "{method} {path} over the admin socket: {error}; wharf printed:\n{}",
                self.process.output()
            )
        })
    }

    /// The status of one module.
    #[must_use]
    pub fn module(&self, id: &str) -> Value {
        self.admin("GET", &format!("/modules/{id}")).json()
    }

    /// Waits until the status of a module is as wanted.
    ///
    /// # Panics
    /// When it is not within half a minute; the message has the status and what the server printed.
    pub fn wait_for_module(&self, id: &str, what: &str, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        let found = until(Duration::from_secs(30), || Some(self.module(id)).filter(|status| wanted(status)));
        found.unwrap_or_else(|| {
            let status = serde_json::to_string_pretty(&self.module(id)).unwrap_or_default();
            panic!(
                "module {id}: expected {what}, found {status}\nwharf printed:\n{}",
                self.process.output()
            )
        })
    }

    /// One GET over a connection of its own.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], &[])
    }

    /// One request over a connection of its own.
    ///
    /// # Panics
    /// When there is no answer.
    #[must_use]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        client::send(self.http, method, path, headers, body)
            .unwrap_or_else(|error| panic!("{method} {path}: {error}; wharf printed:\n{}", self.process.output()))
    }

    /// Waits for the server to end.
    ///
    /// # Panics
    /// When it has not ended within the limit.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        self.process.wait(limit)
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

/// Tests are told in `WHARF_TEST_...` where servers are; a host would take them for settings it does not know.
pub fn without_test_variables(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("WHARF_TEST_")) {
        command.env_remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "before it was ready; it printed:")]
    fn a_server_that_does_not_start_is_reported_with_what_it_printed() {
        let _ = TestServer::start(ServerOptions {
            arguments: &["--no-such-option"],
            ..ServerOptions::default()
        });
    }
}
