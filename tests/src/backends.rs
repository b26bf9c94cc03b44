//! Private servers for tests: started on free ports of the loopback address with their data in a folder of their own,
//! killed and started again at will, and gone with the process that started them, whatever ended it.
//!
//! ```no_run
//! use wharf_tests::backends::{Backend, Redis};
//!
//! let mut redis = Backend::start(Redis);
//! let url = redis.variable("WHARF_TEST_REDIS_URL");
//! redis.kill(); // as SIGKILL does: nothing is flushed
//! redis.restart(); // the same port, the same data
//! ```
//!
//! `make test-servers` installs the programs; a missing one is a failure that says so.

mod oidc;
mod postgres;
mod programs;
mod rabbitmq;
mod reaper;
mod redis;
mod s3;
mod smtp;

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::process::{Process, until};

pub use oidc::Oidc;
pub use postgres::{Postgres, Standby};
pub use rabbitmq::RabbitMq;
pub use redis::Redis;
pub use s3::S3;
pub use smtp::{Smtp, SmtpSecurity};

/// How long a server may take until it answers. RabbitMQ on a busy machine needs most of it.
const READY_WITHIN: Duration = Duration::from_secs(120);
/// How long a server that was asked to stop may take.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// Where their ports are.
const PORTS: std::ops::Range<u16> = 15_000..32_000;
/// How often other ports are tried when somebody took one between choosing and listening.
const TRIES: usize = 4;

/// What is known about one kind of server.
pub trait Kind: fmt::Debug + Send + Sync + 'static {
    /// Its name in messages.
    fn name(&self) -> &'static str;

    /// How many ports it listens on.
    fn ports(&self) -> usize {
        1
    }

    /// The system's user it runs as when root starts it; `nobody` when there is none of that name.
    fn user(&self) -> &'static str {
        "nobody"
    }

    /// What is done once in the new folder.
    ///
    /// # Errors
    /// What did not work.
    fn prepare(&self, _place: &Place) -> Result<(), String> {
        Ok(())
    }

    /// The programs that make it up, in the order of their start; each stays in the foreground. The last is the server itself.
    fn commands(&self, place: &Place) -> Vec<Command>;

    /// Asks it something in its own protocol.
    ///
    /// # Errors
    /// Why it is not ready yet.
    fn ask(&self, place: &Place) -> Result<(), String>;

    /// The variables that tell tests where it is.
    fn variables(&self, place: &Place) -> Vec<(&'static str, String)>;
}

/// Where a server lives.
#[derive(Clone, Debug)]
pub struct Place {
    /// A folder of its own, which belongs to the user it runs as.
    pub folder: PathBuf,
    /// Its ports on the loopback address.
    pub ports: Vec<u16>,
    /// User and group it runs as, when not the caller's.
    pub user: Option<(u32, u32)>,
}

/// A private server. Dropping it ends it and removes its data.
#[derive(Debug)]
pub struct Backend {
    kind: Arc<dyn Kind>,
    place: Place,
    running: Vec<Running>,
    _folder: TempDir,
}

/// One process group, and the process that ends it should this one end first.
#[derive(Debug)]
struct Running {
    process: Process,
    _reaper: reaper::Reaper,
}

impl Place {
    /// The first port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.nth_port(0)
    }

    pub(crate) fn nth_port(&self, number: usize) -> u16 {
        self.ports
            .get(number)
            .copied()
            .unwrap_or_else(|| panic!("no port {number} in {:?}", self.ports))
    }

    /// A command in the folder, as the server's user, in a process group of its own.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).env("HOME", &self.folder).process_group(0);
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, mut command: Command) -> Result<(), String> {
        let output = command.output().map_err(|error| format!("cannot start {command:?}: {error}"))?;
        if output.status.success() {
            return Ok(());
        }
        let printed = [output.stdout, output.stderr].concat();
        Err(format!(
            "{command:?} ended with {}: {}",
            output.status,
            String::from_utf8_lossy(&printed)
        ))
    }

    /// Writes a file the server's user can read.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, String> {
        let path = self.folder.join(name);
        std::fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        self.give(&path)?;
        Ok(path)
    }

    /// Connects to one of its ports, with limits on reading and writing.
    pub(crate) fn connect(&self, number: usize) -> Result<TcpStream, String> {
        let port = self.nth_port(number);
        let limit = Duration::from_secs(5);
        let connect = || {
            let stream = TcpStream::connect_timeout(&(Ipv4Addr::LOCALHOST, port).into(), limit)?;
            stream.set_read_timeout(Some(limit))?;
            stream.set_write_timeout(Some(limit))?;
            Ok::<_, io::Error>(stream)
        };
        connect().map_err(|error| format!("cannot connect to 127.0.0.1:{port}: {error}"))
    }

    fn give(&self, path: &Path) -> Result<(), String> {
        let Some((user, group)) = self.user else { return Ok(()) };
        chown(path, Some(user), Some(group)).map_err(|error| format!("cannot give {} to user {user}: {error}", path.display()))
    }
}

impl Backend {
    /// Starts a server and waits until it answers in its own protocol.
    ///
    /// # Panics
    /// When it does not; the message has what it printed.
    #[must_use]
    pub fn start(kind: impl Kind) -> Self {
        Self::try_start(Arc::new(kind)).unwrap_or_else(|reason| panic!("{reason}"))
    }

    /// Starts one of each kind that `make test-servers` shares between its tests, all at the same time; with names, only those.
    ///
    /// # Errors
    /// Why one did not start, or a name that is none; those that did start are gone again.
    pub fn start_all(only: &[&str]) -> Result<Vec<Self>, String> {
        let mut kinds: Vec<Arc<dyn Kind>> = vec![
            Arc::new(RabbitMq),
            Arc::new(S3),
            Arc::new(Postgres),
            Arc::new(Redis),
            Arc::new(Smtp::default()),
            Arc::new(Oidc),
        ];
        let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
        if let Some(unknown) = only.iter().find(|name| !names.contains(name)) {
            return Err(format!("found {unknown:?}, expected one of {}", names.join(", ")));
        }
        kinds.retain(|kind| only.is_empty() || only.contains(&kind.name()));
        let starting: Vec<_> = kinds.into_iter().map(|kind| thread::spawn(|| Self::try_start(kind))).collect();
        let wait = |thread: thread::JoinHandle<_>| thread.join().unwrap_or_else(|_| Err("a start panicked".to_owned()));
        let started: Vec<_> = starting.into_iter().map(wait).collect();
        started.into_iter().collect()
    }

    fn try_start(kind: Arc<dyn Kind>) -> Result<Self, String> {
        let mut last = String::new();
        for _ in 0..TRIES {
            let folder = new_folder(kind.name())?;
            let place = Place {
                folder: folder.path().to_path_buf(),
                ports: free_ports(kind.ports()).map_err(|error| format!("no free port: {error}"))?,
                user: programs::user(kind.user()),
            };
            place.give(&place.folder)?;
            kind.prepare(&place).map_err(|reason| format!("{}: {reason}", kind.name()))?;
            let mut backend = Self {
                kind: kind.clone(),
                place,
                running: Vec::new(),
                _folder: folder,
            };
            match backend.launch() {
                Ok(()) => return Ok(backend),
                Err(reason) if is_port_taken(&reason) => last = reason,
                Err(reason) => return Err(reason),
            }
        }
        Err(last)
    }

    /// Kills it as SIGKILL does, with everything it started, and waits for its end.
    pub fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Asks it to stop and waits for its end; kills it when it takes too long.
    pub fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    /// Stops every process of it where it stands (SIGSTOP): connections stay open and nobody answers.
    pub fn freeze(&self) {
        self.tell(Signal::STOP);
    }

    /// Lets it go on after [`Backend::freeze`].
    pub fn thaw(&self) {
        self.tell(Signal::CONT);
    }

    /// Starts it again on the same ports with the same data and waits until it answers. One that runs is killed first.
    ///
    /// # Panics
    /// When it does not answer; the message has what it printed.
    pub fn restart(&mut self) {
        self.kill();
        // What the killed one left (sockets, shared memory) can be in the way for a moment.
        let limit = Duration::from_secs(20);
        let mut last = String::new();
        let started = until(limit, || match self.launch() {
            Ok(()) => Some(()),
            Err(reason) => {
                last = reason;
                self.kill();
                None
            }
        });
        assert!(started.is_some(), "{} does not start again: {last}", self.kind.name());
    }

    /// The variables that tell tests where it is.
    #[must_use]
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        self.kind.variables(&self.place)
    }

    /// One of the variables.
    ///
    /// # Panics
    /// When it has no such variable.
    #[must_use]
    pub fn variable(&self, name: &str) -> String {
        let variables = self.variables();
        let found = variables.iter().find(|(known, _)| *known == name);
        found.map_or_else(
            || panic!("{} has no {name}, only {variables:?}", self.kind.name()),
            |(_, value)| value.clone(),
        )
    }

    /// Its folder and ports.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What kind of server it is.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.name()
    }

    /// What it printed since it was last started.
    #[must_use]
    pub fn output(&self) -> String {
        self.running.iter().map(|running| running.process.output()).collect()
    }

    fn launch(&mut self) -> Result<(), String> {
        for mut command in self.kind.commands(&self.place) {
            let process = Process::start(&mut command);
            let reaper = reaper::Reaper::of(process.id(), &self.place.folder);
            self.running.push(Running { process, _reaper: reaper });
        }
        let mut last = "it was never asked".to_owned();
        let seen = until(READY_WITHIN, || {
            let ended = self.running.iter_mut().find_map(|running| running.process.try_wait());
            if let Some(status) = ended {
                return Some(Err(status));
            }
            match self.kind.ask(&self.place) {
                Ok(()) => Some(Ok(())),
                Err(reason) => {
                    last = reason;
                    None
                }
            }
        });
        let name = self.kind.name();
        match seen {
            Some(Ok(())) => Ok(()),
            Some(Err(status)) => Err(format!(
                "{name} ended with {status} before it was ready; it printed:\n{}",
                self.output()
            )),
            None => Err(format!(
                "{name} was not ready within {READY_WITHIN:?}: {last}; it printed:\n{}",
                self.output()
            )),
        }
    }

    fn tell(&self, signal: Signal) {
        for running in self.running.iter().rev() {
            if let Some(group) = pid(&running.process) {
                // Fails only when there is nobody left in it.
                let _ = kill_process_group(group, signal);
            }
        }
    }

    fn end(&mut self, signal: Signal) {
        if signal == Signal::TERM {
            // To the server alone: what it started is its own to stop.
            if let Some(pid) = self.running.last().and_then(|running| pid(&running.process)) {
                let _ = kill_process(pid, signal);
            }
            if let Some(running) = self.running.last_mut() {
                let _ = running.process.wait_or_give_up(STOP_WITHIN);
            }
        }
        self.tell(Signal::KILL);
        self.running.clear();
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
    }
}

fn pid(process: &Process) -> Option<Pid> {
    i32::try_from(process.id()).ok().and_then(Pid::from_raw)
}

/// Not below the target folder: the user a server runs as may not be able to reach that.
fn new_folder(name: &str) -> Result<TempDir, String> {
    let made = tempfile::Builder::new().prefix(&format!("wharf-{name}-")).tempdir();
    made.map_err(|error| format!("cannot make a folder for {name}: {error}"))
}

/// Free ports. All are held until all are known, so they differ. They are below those that the system gives to clients and to
/// whoever asks for any: one of these could be somebody else's by the time a killed server wants it back.
pub(crate) fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let random = || u16::try_from(RandomState::new().hash_one(()) % u64::from(PORTS.end - PORTS.start)).unwrap_or_default();
    let one = || {
        let free = (0..100).find_map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, PORTS.start + random())).ok());
        free.ok_or_else(|| io::Error::other(format!("100 ports of {PORTS:?} are all taken")))
    };
    let held: Vec<_> = (0..count).map(|_| one()).collect::<Result<_, _>>()?;
    held.iter()
        .map(|listener| listener.local_addr().map(|address| address.port()))
        .collect()
}

fn is_port_taken(reason: &str) -> bool {
    let reason = reason.to_lowercase();
    ["address already in use", "address in use", "eaddrinuse", "dist_port_already_used"]
        .iter()
        .any(|text| reason.contains(text))
}
